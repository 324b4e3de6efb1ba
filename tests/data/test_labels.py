from pathlib import Path

import numpy as np
import pytest

from srnn_lab.data.labels import Labels, labels_beside, read_labels
from srnn_lab.data.phones import phone_kind

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 2.5
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2.5
            text = "a ""quoted"" word [2]: 3"
    item [2]:
        class = "IntervalTier"
        name = "Mary - phones"
        xmin = 0
        xmax = 2.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.25
            text = "AH0"
        intervals [3]:
            xmin = 1.25
            xmax = 2.5
            text = "S"
    item [3]:
        class = "TextTier"
        name = "points"
        xmin = 0
        xmax = 2.5
        points: size = 4
        points [1]:
            number = 0.1
            mark = "x"
        points [2]:
            number = 0.2
            mark = "x"
        points [3]:
            number = 0.3
            mark = "x"
        points [4]:
            number = 0.4
            mark = "x"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
2.5
<exists>
1
"IntervalTier"
"Laute"
0
2.5
3
0
0.5
""
0.5
1.25
"AH0"
1.25
2.5
"S"
"""
THREE = ((0, 0.5, 1.25, 2.5), ("", "AH0", "S", ""))
SPOKEN = ((0.5, 1.25, 2.5), ("AH0", "S", ""))
CASES = {
    "long.TextGrid": (LONG, THREE),
    "short.textgrid": (SHORT, THREE),
    "festival.lab": (
        "separator ;\nnfields 1\n#\n 0.50000 125 pau\n1.25000 125 AH0 ; x\n\n2.5 125 S\n",
        None,
    ),
    "seconds.lab": ("0.5 1.25 AH0\n1.25 2.5 S\n", SPOKEN),
    "htk.lab": ("5000000 12500000 AH0\n12500000 25000000 S\n", SPOKEN),
    "si1.PHN": ("8000 20000 AH0\n20000 40000 S\n", SPOKEN),
    "si1.wrd": ("8000 20000 AH0\r\n20000 40000 S\r\n", SPOKEN),
    "track.txt": ("1.25\t2.5\tS\n\\\t100.0\t200.0\n0.5\t1.25\tAH0\n", SPOKEN),
    "comma.txt": ("0,5\t1,25\tAH0\n1,25\t2,5\tS\n", SPOKEN),
    "points.txt": ("0.5\t0.5\tAH0\n1.25\t1.25\tS\n", ((0.5, 1.25), ("AH0", "S"))),
    "titled.csv": ("time,label\n0.5,AH0\n1.25,S\n", ((0.5, 1.25), ("AH0", "S"))),
    "plain.csv": ('0.5,"A, b"\n1.25,S\n', ((0.5, 1.25), ("A, b", "S"))),
    "semicolon.csv": ("0,5;AH0\n1,25;S\n", ((0.5, 1.25), ("AH0", "S"))),
    "ends.csv": ("start,end,label\n0.5,1.25,AH0\n1.25,2.5,S\n", SPOKEN),
    "tabs.tsv": ("0.5\tAH0\n1.25\tS\n", ((0.5, 1.25), ("AH0", "S"))),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", CASES)
def test_labels_of_the_usual_programs_are_read(tmp_path, name, encoding):
    text, expected = CASES[name]
    (tmp_path / name).write_bytes(text.encode(encoding))
    labels = read_labels(tmp_path / name)
    times, names = expected or ((0, 0.5, 1.25, 2.5), ("pau", "AH0", "S", ""))
    assert labels.names == names
    np.testing.assert_allclose(labels.times, times)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mp3", b"x", "its ending is one of .textgrid, .lab"),
        ("a.lab", b"", "holds no labels"),
        ("a.lab", b"#\n", "holds no labels"),
        ("a.lab", b"one two three\n", "'one' stands where a time is expected"),
        ("a.lab", b"1.5\n", "the line '1.5' has no start and end"),
        ("a.csv", b"1\xff,a\n", "is not text in UTF-8 or UTF-16"),
        ("a.csv", b"1,a\0\n", "holds zero bytes"),
        ("a.csv", b"time,label\n", "holds no labels"),
        ("a.csv", b"1\n", "has one column"),
        ("a.csv", b"nan,a\n", "expected times from 0 on"),
        ("a.csv", b"-1,a\n", "expected times from 0 on"),
        ("a.txt", b"1 2 a\n", "has no tab"),
        ("a.PHN", b"0 1e999 a\n", "expected times from 0 on"),
        ("a.TextGrid", b"0 1 a\n", "do not say TextGrid"),
        ("a.TextGrid", SHORT.replace("\n3\n", "\n1e999\n").encode(), "cannot be read as labels"),
        ("a.csv", b'1,"' + b"a" * 200_000 + b'"\n', "field larger than"),
        ("a.csv", b"1,a\n" * 100_001, "holds 100001 labels, more than 100000"),
        ("a.TextGrid", SHORT[:-20].encode(), "the file may be cut"),
        (
            "a.TextGrid",
            SHORT.replace("\n3\n", "\n99999999999\n").encode(),
            "the file may be cut|a time is expected",
        ),
    ],
)
def test_what_is_no_label_file_is_refused_by_name(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_labels(tmp_path / name)
    assert name in str(caught.value)


def test_a_missing_or_a_huge_label_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"a.lab does not exist"):
        read_labels(tmp_path / "a.lab")
    monkeypatch.setattr("srnn_lab.data.labels.MAX_BYTES", 10)
    (tmp_path / "a.lab").write_text("0 1 a\n" * 9)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        read_labels(tmp_path / "a.lab")
    with pytest.raises(ValueError, match="/dev/zero is a device or a pipe"):
        read_labels("/dev/zero")


def test_gaps_have_no_name_and_of_overlapping_labels_the_later_one_is_valid():
    labels = Labels.from_intervals(
        [(2.0, 3.0, "c"), (0.0, 1.0, "a"), (0.5, 1.5, "b"), (1.5001, 1.8, "d")]
    )
    assert list(zip(labels.times.tolist(), labels.names, strict=True)) == [
        *[(0, "a"), (0.5, "b"), (1.5001, "d"), (1.8, ""), (2, "c"), (3, "")]
    ]
    assert labels.at(np.array([-1, 0, 0.7, 1.9, 2.5, 9])) == ["", "a", "b", "", "c", ""]


def test_what_no_picture_could_hold_becomes_a_space():
    assert Labels.from_intervals([(0.0, 1.0, "a\x0bb\ufffe<&>")]).names[0] == "a b <&>"


def test_labels_of_another_recording_are_refused():
    labels = Labels(np.array([3.0, 4.0]), ("a", "b"))
    assert labels.within(9.0).names == ("a", "b")
    assert labels.within(3.5).names == ("a",)
    with pytest.raises(
        ValueError, match=r"first label starts at 3.00, after the end of the recording at 2.50"
    ):
        labels.within(2.5)


def test_labels_are_found_beside_their_recording_and_in_the_folder_lab(tmp_path):
    for folder in ("wav", "lab", "other"):
        (tmp_path / folder).mkdir()
    recording = tmp_path / "wav" / "a.b.wav"
    assert labels_beside(recording) is None
    (tmp_path / "lab" / "a.b.lab").touch()
    assert labels_beside(recording) == tmp_path / "lab" / "a.b.lab"
    (tmp_path / "wav" / "a.b.TextGrid").touch()
    assert labels_beside(recording) == tmp_path / "wav" / "a.b.TextGrid"
    assert labels_beside(tmp_path / "other" / "c.wav") is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[
            ("", "pause"),
            (" ", "pause"),
            ("pau", "pause"),
            ("h#", "pause"),
            ("SIL", "pause"),
            ("kcl", "closure"),
        ],
        *[
            ("AH0", "vowel"),
            ("ii", "vowel"),
            ("y", "vowel"),
            ("SH", "fricative"),
            ("sch", "fricative"),
            ("tt", "stop"),
        ],
        *[("ch", "affricate"), ("ll", "sonorant"), ("ŋ", "other"), ("word", "other")],
    ],
)
def test_the_kind_of_a_phone(name, kind):
    assert phone_kind(name) == kind


def test_a_recording_named_from_its_own_folder_has_the_labels_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert labels_beside(Path("a.wav")) is None
    Path("a.lab").write_text("#\n1.0 100 a\n")
    assert labels_beside(Path("a.wav")) == tmp_path / "a.lab"
    assert labels_beside(Path("/a.wav")) is None
