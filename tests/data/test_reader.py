import hashlib
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from srnn_lab.config import PRESETS, DataConfig
from srnn_lab.data import festvox, load_split, read_signal
from srnn_lab.data.festvox import reader_files, reader_folder, reader_split, reader_transcripts
from srnn_lab.data.labels import labels_beside, read_labels

RAW = DataConfig(data="reader", features="raw")
NAMES = [f"ru_{i:04d}" for i in range(1, 101)]


@pytest.fixture(autouse=True)
def not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(festvox, "PACKAGE", tmp_path / "none" / "msu_ru_nsh_clunits")


def write_reader(folder, names=NAMES):
    """The layout of the package: wav, lab and etc."""
    for part in ("wav", "lab", "etc"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for name in names:
        soundfile.write(
            folder / "wav" / f"{name}.wav", generator.integers(-99, 99, 800).astype(np.int16), 16000
        )
        (folder / "lab" / f"{name}.lab").write_text(
            "#\n0.01000 125 pau\n0.03000 125 a\n0.05000 125 s\n"
        )
    lines = [f'( {name} "Он, сказал: «да» о{name}." )\n' for name in names]
    (folder / "etc" / "txt.done.data").write_text("".join(lines), encoding="utf-8")


@pytest.mark.parametrize("place", ["reader", "msu_ru_nsh_clunits", "."])
def test_the_sentences_are_found_below_the_data_folder_and_split_by_name(tmp_path, place):
    write_reader(tmp_path / place)
    splits = {split: list(load_split(RAW, split, tmp_path)) for split in ("train", "valid", "test")}
    assert sorted(name for names in splits.values() for name in names) == NAMES
    assert all(reader_split(name) == split for split, names in splits.items() for name in names)
    assert 80 <= len(splits["train"]) <= 97


def test_an_installed_package_is_used_unless_the_data_folder_holds_the_sentences(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(festvox, "PACKAGE", tmp_path / "package")
    write_reader(tmp_path / "package")
    assert reader_folder(None) == reader_folder(tmp_path / "other") == tmp_path / "package"
    write_reader(tmp_path / "own" / "reader", NAMES[:50])
    assert reader_folder(tmp_path / "own") == tmp_path / "own" / "reader"
    assert len(load_split(RAW, "train", tmp_path / "own")) < 50


def test_the_split_of_a_sentence_depends_on_no_other_sentence(tmp_path):
    write_reader(tmp_path / "all")
    write_reader(tmp_path / "part", NAMES[::3])
    for split in ("train", "valid", "test"):
        whole = set(reader_files(split, tmp_path / "all"))
        assert set(reader_files(split, tmp_path / "part")) == whole & set(NAMES[::3])


def test_the_split_is_the_same_on_every_machine():
    chosen = {
        split: [name for name in NAMES if reader_split(name) == split]
        for split in ("valid", "test")
    }
    assert chosen == {
        "valid": [
            "ru_0008",
            "ru_0013",
            "ru_0015",
            "ru_0035",
            "ru_0038",
            "ru_0039",
            "ru_0041",
            "ru_0082",
            "ru_0098",
        ],
        "test": ["ru_0051", "ru_0066", "ru_0076", "ru_0078"],
    }
    share = int.from_bytes(hashlib.sha256(b"44/ru_0201").digest()[:8], "big") / 2**64
    assert share < 0.05
    assert reader_split("ru_0201") == "test"


def test_without_the_package_training_says_what_to_do(tmp_path):
    for data_dir in (None, tmp_path):
        with pytest.raises(
            FileNotFoundError,
            match=r"Install Debian's package festvox-ru, or put .* wav, lab and etc",
        ):
            load_split(RAW, "train", data_dir)


def test_without_the_package_the_test_split_is_four_sentences_and_says_so():
    with pytest.warns(UserWarning, match="the 4 bundled sentences of the 31"):
        test = load_split(RAW, "test")
    assert len(test) == 4
    for name, wave in test.items():
        assert reader_split(name) == "test"
        assert wave.dtype == np.int16
        assert 4 <= len(wave) / 16000 <= 7
        labels = read_labels(labels_beside(festvox.BUNDLED_READER / f"{name}.flac"))
        assert len(set(labels.names)) > 10
        assert abs(labels.times[-1] - len(wave) / 16000) < 0.1
    assert sum(path.stat().st_size for path in festvox.BUNDLED_READER.iterdir()) < 1_000_000
    notice = (festvox.BUNDLED_READER / "LICENSE").read_text()
    assert "Nickolay V. Shmyrev" in notice
    assert "without restriction" in notice


def test_each_recording_has_its_labels_and_its_sentence(tmp_path):
    write_reader(tmp_path)
    sentences = reader_transcripts(tmp_path)
    assert list(sentences) == NAMES
    assert sentences["ru_0001"] == "Он, сказал: «да» оru_0001."
    labels = read_labels(labels_beside(tmp_path / "wav" / "ru_0001.wav"))
    assert labels.names == ("pau", "a", "s", "")
    np.testing.assert_allclose(labels.times, [0, 0.01, 0.03, 0.05])


def test_the_presets_have_the_sizes_of_timit_voice_and_voice_mel():
    for name, like in {
        "reader": "timit",
        "reader-compact": "voice",
        "reader-mel": "voice-mel",
    }.items():
        config, other = PRESETS[name], PRESETS[like]
        assert config.model == other.model
        assert config.data == replace(other.data, data="reader")
        assert config.evaluation == PRESETS["voice"].evaluation
    assert PRESETS["reader"].train == PRESETS["timit"].train
    assert PRESETS["reader"].train.batch_size == 64


def test_dither_leaves_no_digital_silence_and_depends_on_seed_and_name_alone(tmp_path):
    folder = tmp_path / "silence"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(20):
        wave = generator.integers(-32000, 32000, 4000).astype(np.int16)
        wave[1000:3000] = 0
        soundfile.write(folder / f"{i}.wav", wave, 16000)
    plain = load_split(DataConfig(data=str(folder), features="raw"), "all")
    config = DataConfig(data=str(folder), features="raw", dither=True)
    noisy, again = load_split(config, "all"), load_split(config, "train")
    for name, wave in plain.items():
        steps = noisy[name].astype(int) - wave
        assert noisy[name].dtype == np.int16
        assert set(steps.tolist()) == {-1, 0, 1}
        assert abs(steps.mean()) < 0.05
        assert abs((steps**2).mean() - 0.5) < 0.05
    assert all((again[name] == noisy[name]).all() for name in again)
    assert (noisy["0.wav"][1000:3000] != noisy["1.wav"][1000:3000]).any()
    other = load_split(
        DataConfig(data=str(folder), features="raw", dither=True, dither_seed=1), "all"
    )
    assert (other["0.wav"] != noisy["0.wav"]).any()


def test_a_file_that_is_inspected_has_the_noise_that_it_has_in_its_data_set(tmp_path):
    write_reader(tmp_path)
    config = DataConfig(data="reader", features="raw", dither=True)
    name, wave = next(iter(load_split(config, "train", tmp_path).items()))
    file = tmp_path / "wav" / f"{name}.wav"
    np.testing.assert_array_equal(read_signal(file, config), wave / np.float32(32768))
    assert (read_signal(file, RAW) != read_signal(file, config)).any()
    folder = load_split(DataConfig(data=str(tmp_path / "wav"), features="raw", dither=True), "all")
    np.testing.assert_array_equal(folder[f"{name}.wav"], wave)


def test_dither_keeps_what_lies_beyond_full_scale(tmp_path):
    for i in range(20):
        soundfile.write(tmp_path / f"{i}.wav", 1.5 * (-1.0) ** np.arange(800), 16000, "FLOAT")
    wave = load_split(DataConfig(data=str(tmp_path), features="raw", dither=True), "all")["0.wav"]
    assert wave.dtype == np.float32
    np.testing.assert_allclose(np.abs(wave), 1.5, atol=1.01 / 32768)
    assert len(np.unique(wave)) == 6
