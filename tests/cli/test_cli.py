import hashlib
import io
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import fields, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pretty_midi
import pytest
import soundfile
from tiny import RATE, SIZES, a_result, midi_folder, roll, speech_run, untrained, wav_folder

from srnn_lab.checkpoint import load_checkpoint, save_checkpoint
from srnn_lab.cli import main
from srnn_lab.cli.train import _warn_of_others
from srnn_lab.config import CONVENTIONS, PRESETS, DataConfig
from srnn_lab.data import read_signal
from srnn_lab.data.midi import Signature, Timing, parse_midi
from srnn_lab.data.sound import roll_to_midi
from srnn_lab.reports.benchmark import Benchmark
from srnn_lab.reports.records import read_results, record
from srnn_lab.reports.tables import TABLES
from srnn_lab.system.interrupts import Stopped
from srnn_lab.training.precision import use_bf16

COMMANDS = (
    "train",
    "evaluate",
    "inspect",
    "sample",
    "transitions",
    "probe",
    "results",
    "reproduce",
    "benchmark",
)
SMALL = [f"--{name.replace('_', '-')}={size}" for name, size in SIZES.items()]


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A folder with thirty songs, and a checkpoint trained on it by the command line."""
    folder = tmp_path_factory.mktemp("music")
    data = midi_folder(folder / "songs", num_files=30)
    options = [*SMALL, "--epochs=2", "--batch-size=4", "--segment-length=8", "--learning-rate=0.01"]
    assert main(["train", "jsb", "--data", str(data), "--out", str(folder / "run"), *options]) == 0
    return {
        "data": str(data),
        "song": str(data / "song-03.mid"),
        "checkpoint": str(folder / "run" / "best.safetensors"),
    }


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """A folder with clips, and an untrained checkpoint for it."""
    folder = tmp_path_factory.mktemp("speech")
    data = wav_folder(folder / "clips")
    paths = {}
    for features in ("raw", "log-mel"):
        paths[features] = str(folder / f"{features}.safetensors")
        save_checkpoint(untrained(speech_run(str(data), features)), paths[features])
    return {"data": str(data), "clip": str(data / "clip-2.wav"), **paths}


def without_bar(err):
    """What was printed on standard error but for a progress bar, which a slow machine shows."""
    return re.sub(r"\r[^\r\n]*", "", err)


@pytest.fixture
def run(capsys):
    """Run a command that succeeds and return its JSON object."""

    def run(*argv):
        assert main([*map(str, argv), "--json"]) == 0
        out, err = capsys.readouterr()
        assert without_bar(err) == ""
        return json.loads(out.splitlines()[-1])

    return run


@pytest.mark.slow
def test_evaluate_reports_a_figure_with_its_convention(music, run):
    found = run("evaluate", music["checkpoint"])
    assert list(found) == [
        "elbo",
        "log_px",
        "kl",
        "elbo_se",
        "frames",
        "sequences",
        "average",
        "first_frame",
        "unit",
        "data",
        "split",
        "use_of_z",
        "z",
    ]
    # The convention of the preset jsb.
    assert (found["average"], found["first_frame"]) == (
        "macro",
        False,
    )
    assert (found["data"], found["split"], found["sequences"]) == (music["data"], "test", 2)
    assert found["elbo"] == pytest.approx(found["log_px"] - found["kl"])
    assert found["elbo"] == load_checkpoint(music["checkpoint"]).scores["test"]["elbo"]


def test_evaluate_prints_every_bound_in_one_pass_with_its_standard_errors(music, run):
    plain = run("evaluate", music["checkpoint"])
    found = run("evaluate", music["checkpoint"], "--bound", "elbo,iwae:3,fivo:4")
    assert {name: found[name] for name in plain} == plain
    names = [name for name in found if name not in plain]
    assert names == ["iwae:3", "iwae:3_se", "fivo:4", "fivo:4_se"]
    assert all(found[name] > 0 for name in ("elbo_se", "iwae:3_se", "fivo:4_se"))
    repeated = run("evaluate", music["checkpoint"], "--bound", "fivo:4", "--repetitions", 2)
    assert repeated["elbo_se_repetitions"] > 0
    assert repeated["fivo:4_se_repetitions"] > 0


def test_evaluate_resamples_as_it_is_told(music, run):
    options = [[], ["--resampling=multinomial"], ["--resampling-share=1"], ["--resampling-share=0"]]
    found = [
        run("evaluate", music["checkpoint"], "--bound=fivo:4", "--average=sequence", *more)
        for more in options
    ]
    assert len({figures["fivo:4"] for figures in found}) == 4


def test_figures_with_long_names_are_aligned(music, capsys):
    assert main(["evaluate", music["checkpoint"], "--bound=fivo:4", "--repetitions=2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len({len(line) - len(line.lstrip()) + len(line.split()[0]) for line in lines}) == 1


def test_evaluate_averages_as_it_is_told(music, run):
    micro, macro, sequence = (
        run("evaluate", music["checkpoint"], "--split", "train", "--average", average)
        for average in ("micro", "macro", "sequence")
    )
    assert [found["average"] for found in (micro, macro, sequence)] == [
        "micro",
        "macro",
        "sequence",
    ]
    assert micro["elbo"] * micro["frames"] == pytest.approx(
        sequence["elbo"] * sequence["sequences"]
    )
    assert macro["elbo"] == pytest.approx(micro["elbo"], rel=0.2)
    assert macro["elbo"] != micro["elbo"]


def test_evaluate_scores_the_first_frame_as_it_is_told(music, run):
    scored, not_scored = (
        run("evaluate", music["checkpoint"], flag) for flag in ("--first-frame", "--no-first-frame")
    )
    assert (scored["first_frame"], not_scored["first_frame"]) == (True, False)
    assert scored["frames"] == not_scored["frames"] + scored["sequences"]


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_convention_is_its_average_and_first_frame_by_name(name, music, run):
    flag = "--first-frame" if CONVENTIONS[name].first_frame else "--no-first-frame"
    expected = run("evaluate", music["checkpoint"], "--average", CONVENTIONS[name].average, flag)
    assert run("evaluate", music["checkpoint"], "--convention", name) == expected
    macro = run("evaluate", music["checkpoint"], "--convention", name, "--average", "macro")
    assert (macro["average"], macro["first_frame"]) == ("macro", CONVENTIONS[name].first_frame)


def test_evaluate_takes_other_data_splits_and_seeds(music, run, tmp_path):
    other = midi_folder(tmp_path / "other", num_files=3)
    assert run("evaluate", music["checkpoint"], "--data", other)["data"] == str(other)
    sizes = {
        split: run("evaluate", music["checkpoint"], "--split", split)["sequences"]
        for split in ("train", "valid")
    }
    assert sizes == {"train": 26, "valid": 2}
    first, same, another = (
        run("evaluate", music["checkpoint"], "--seed", seed)["elbo"] for seed in (0, 0, 1)
    )
    assert first == same != another


def test_without_json_figures_are_printed_one_a_line(music, capsys):
    assert main(["evaluate", music["checkpoint"]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines][:3] == ["elbo", "log_px", "kl"]
    assert [line.split()[0] for line in lines][-2:] == ["use_of_z", "z"]  # in numbers, and in words
    assert len(lines) == 13


def test_options_of_train_reach_the_run_and_its_checkpoint(music, run, tmp_path, capsys):
    options = [
        "--epochs=1",
        "--batch-size=2",
        "--segment-length=8",
        "--average=sequence",
        "--first-frame",
        "--no-residual",
    ]
    out = str(tmp_path / "run")
    assert (
        main(["train", "jsb", "--data", music["data"], "--out", out, *SMALL, *options, "--json"])
        == 0
    )
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["checkpoint"] == str(tmp_path / "run" / "best.safetensors")
    assert all(Path(file).is_file() for file in found["files"])
    config = load_checkpoint(found["checkpoint"]).config
    assert (config.train.epochs, config.train.batch_size, config.model.residual) == (1, 2, False)
    assert {name: getattr(config.model, name) for name in SIZES} == SIZES
    assert config.train.adam_epsilon == PRESETS["jsb"].train.adam_epsilon
    scored = run("evaluate", found["checkpoint"])
    assert (scored["average"], scored["first_frame"]) == ("sequence", True)
    assert scored["elbo"] == found["test"]["elbo"]


def test_train_ends_with_a_table_of_the_run(music, capsys, tmp_path):
    folder = Path(music["checkpoint"]).parent
    assert main(["train", "--resume", str(folder), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in lines)
    # Aligned.
    assert len({len(line) - len(line.lstrip()) + len(line.split()[0]) for line in lines}) == 1
    checkpoint = load_checkpoint(music["checkpoint"])
    parameters, scores = sum(p.numel() for p in checkpoint.model.parameters()), checkpoint.scores
    assert table["model"] == f"name srnn, likelihood bernoulli, parameters {parameters}"
    assert re.fullmatch(
        r"device cpu, precision (bf16|fp32), processes 1, threads each \d+", table["machine"]
    )
    assert re.fullmatch(
        rf"epochs 2, best epoch {scores['epoch']}, updates \d+, skipped 0", table["training"]
    )
    for split in ("valid", "test"):
        assert table[split].startswith(f"elbo {scores[split]['elbo']:.4g}, ")
        assert table[split].endswith("average macro, first frame False, unit nats per frame")
    assert table["train"].endswith("unit nats per frame, average updates")
    assert re.fullmatch(r"seconds [\d.]+, frames per second [\d.]+", table["time"])
    assert table["checkpoint"] == music["checkpoint"]
    assert table["files"] == f"{folder / 'last.safetensors'}, {folder / 'curves.csv'}"


def test_evaluate_records_what_it_prints_and_all_that_it_depends_on(
    music, run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    plain = run("evaluate", music["checkpoint"], "--bound=fivo:4", "--seed=3")
    found = run(
        "evaluate", music["checkpoint"], "--bound=fivo:4", "--seed=3", "--record", "--row=tiny/a"
    )
    assert found == {**plain, "row": "tiny/a", "recorded": "results.jsonl"}
    run(
        "evaluate",
        music["checkpoint"],
        "--split=valid",
        "--record",
        tmp_path / "other" / "file.jsonl",
    )
    (result,) = read_results("results.jsonl").values()
    checkpoint = load_checkpoint(music["checkpoint"])
    assert result.figures == {
        name: found[name] for name in ("elbo", "log_px", "kl", "elbo_se", "fivo:4", "fivo:4_se")
    }
    for name in ("average", "first_frame", "sequences", "frames", "data", "split"):
        assert getattr(result, name) == found[name]
    assert checkpoint.config.train.precision == "auto"
    trained_in = checkpoint.scores["precision"]
    assert trained_in == ("bf16" if use_bf16(checkpoint.config.train, "cpu") else "fp32")
    train = replace(checkpoint.config.train, precision=trained_in)
    assert result.config == replace(checkpoint.config, train=train)
    assert f" --precision={trained_in} " in result.train
    assert result.checkpoint == ""
    assert (
        result.checkpoint_sha256
        == hashlib.sha256(Path(music["checkpoint"]).read_bytes()).hexdigest()
    )
    assert result.parameters == sum(p.numel() for p in checkpoint.model.parameters())
    assert result.best_epoch == checkpoint.scores["epoch"]
    assert (result.repetitions, result.seed) == (1, 3)
    assert 0 < result.seconds < 600
    (valid,) = read_results(tmp_path / "other" / "file.jsonl").values()
    assert valid.row == "run"  # the folder of the checkpoint
    assert valid.data_sha256 != result.data_sha256


@pytest.mark.slow
def test_transitions_are_recorded_and_measured_again_by_the_command_of_their_row(
    music, run, tmp_path
):
    file = tmp_path / "results.jsonl"
    found = run("transitions", music["checkpoint"], "--record", file, "--row=spikes/tiny")
    (result,) = read_results(file).values()
    assert result.command == "transitions"
    counts = {"clips": result.sequences, "frames": result.frames}
    flat = {
        f"{name}/{key}": value
        for name in found
        if "/" in name
        for key, value in found[name].items()
    }
    assert "chord-change/all/0/by_clip" in flat
    assert result.figures.items() >= flat.items()
    once = {name: value for name, value in result.figures.items() if name not in flat}
    plain = {**once, **counts, "labelled": 0, "data": result.data, "split": result.split}
    areas = {name: value for name, value in found.items() if "/" in name}
    assert found == {**plain, **areas, "row": "spikes/tiny", "recorded": str(file)}
    words = shlex.split(result.measure)
    assert words[:2] == ["srnn-lab", "transitions"]
    assert run("transitions", music["checkpoint"], *words[3:4], file, *words[4:]) == found


@pytest.mark.slow
def test_a_bundled_checkpoint_gives_the_recorded_figure(run, tmp_path, capsys):
    file = tmp_path / "results.jsonl"
    assert main(["evaluate", "voice-mel", "--record", str(file)]) == 0
    capsys.readouterr()
    (result,) = read_results(file).values()
    assert (result.row, result.checkpoint) == ("bundled/voice-mel", "voice-mel")
    published = read_results()["bundled/voice-mel"]
    assert result.figures["elbo"] == pytest.approx(published.figures["elbo"], abs=0.01)
    assert result.data_sha256 == published.data_sha256
    assert (
        run("results", "--results", file, "--table=bundled")["bundled"][0]["rows"][0][0]
        == "voice-mel"
    )


@pytest.mark.slow
def test_a_recorded_row_is_trained_and_evaluated_again_to_the_same_figure(
    music, tmp_path, monkeypatch, capfd
):
    def lines(*argv):
        assert main([*map(str, argv)]) == 0
        return capfd.readouterr().out.splitlines()

    file = tmp_path / "here.jsonl"
    lines("evaluate", music["checkpoint"], "--bound=fivo:4", "--record", file, "--row=tiny/seed1")
    assert (
        lines("reproduce", "tiny/seed1", "--results", file)
        == read_results(file)["tiny/seed1"].commands
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = json.loads(lines("reproduce", "tiny/seed1", "--results", file, "--run", "--json")[-1])
    assert found["same_data"]
    for bound in ("elbo", "fivo:4"):
        assert found[bound]["again"] == found[bound]["recorded"]
    assert sorted(path.name for path in Path().iterdir()) == ["results.jsonl", "runs"]


@pytest.mark.slow
def test_reproduce_stops_at_the_first_command_that_fails(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    config = replace(PRESETS["jsb"], data=DataConfig(data="nowhere"))
    record(a_result("lost", config=config, data="nowhere"), "here.jsonl")
    assert main(["reproduce", "lost", "--results", "here.jsonl", "--run"]) == 1
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith("srnn-lab: 'nowhere' is neither a data set")
    assert lines[1].startswith(
        "srnn-lab: Stopped, since this command failed with status 1: srnn-lab train jsb"
    )
    assert len(lines) == 2


@pytest.mark.slow
def test_a_command_that_is_run_gets_the_time_to_write_when_it_is_stopped(tmp_path):
    child = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: ("
        "time.sleep(0.6), pathlib.Path('written').touch(), sys.exit(3))); "
        "pathlib.Path('ready').touch(); time.sleep(60)"
    )
    waiting = (
        "import sys; from srnn_lab.reports.reproduce import wait_for; "
        f"wait_for([sys.executable, '-c', {child!r}])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", waiting], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "ready").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert "Stopped: stopped; the same command continues" in process.communicate(timeout=60)[1]
    assert (tmp_path / "written").exists()


def test_reproduce_tells_how_a_bundled_checkpoint_was_trained(capsys):
    assert main(["reproduce", "bundled/voice"]) == 0
    note, command = capsys.readouterr().out.splitlines()
    # The preset has followed the authors' code since: the record says with which options it was
    # otherwise.
    options = "--emission-layers=0 --gradient-norm=1.0"
    assert (
        note == f"# bundled; trained by: srnn-lab train voice {options} --resume=runs/bundled-voice"
    )
    assert command == "srnn-lab evaluate voice --bound=elbo --record --row=bundled/voice"


@pytest.mark.slow
def test_reproduce_takes_a_tables_row_for_all_of_its_sets_and_seeds(run, capsys):
    rows = [name for name in read_results() if name.startswith("table2/")]
    assert len(rows) == 6
    found = run("reproduce", "table2/SET")
    assert list(found) == rows
    assert "--seed=3" in found["table2/jsb/seed3"]["trained_by"]
    assert len(run("reproduce", "table2/jsb")) == 3
    assert main(["reproduce", "table2/jsb"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        command for name in rows if "/jsb/" in name for command in found[name]["commands"]
    ]


@pytest.mark.slow
def test_results_prints_every_table_or_one(capsys, run):
    assert list(run("results")) == list(TABLES)
    (family, _) = run("results", "--table=family")["family"]
    assert family["header"][-1] == "row"
    for flags, begins in (
        ((), "Training on FIVO\nbl/jsb (test), "),
        (("--markdown",), "**Training on FIVO.** bl/jsb"),
    ):
        assert main(["results", "--table=fivo", *flags]) == 0
        assert capsys.readouterr().out.startswith(begins)


def test_results_are_written_into_a_file(tmp_path, run):
    file = tmp_path / "page.md"
    file.write_text("before\n<!-- results:fivo -->\n<!-- /results -->\nafter\n")
    assert run("results", "--write", file) == {"written": str(file)}
    text = file.read_text()
    assert "**Training on FIVO.**" in text
    assert (text[:7], text[-6:]) == ("before\n", "after\n")


@pytest.mark.parametrize("kind", ["roll", "raw", "log-mel"])
def test_inspect_writes_arrays_and_a_page_that_needs_no_network(kind, music, speech, run, tmp_path):
    checkpoint, file = (
        (music["checkpoint"], music["song"]) if kind == "roll" else (speech[kind], speech["clip"])
    )
    found = run("inspect", checkpoint, file, "--out", tmp_path / "out")
    assert found["frames"] > 5
    assert found["elbo"] == pytest.approx(found["log_px"] - found["kl"], rel=1e-4)
    x_dim = load_checkpoint(checkpoint).config.model.x_dim
    with np.load(tmp_path / "out" / "posterior.npz", allow_pickle=False) as arrays:
        shapes = {name: arrays[name].shape for name in arrays.files}
        assert found["largest_kl"] == pytest.approx(float(arrays["kl"].max()))
        assert found["largest_kl_time"] == pytest.approx(
            float(arrays["times"][arrays["kl"].argmax()])
        )
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files)
    frames, z_dim = found["frames"], SIZES["z_dim"]
    of_z = dict.fromkeys(("mu_q", "logvar_q", "mu_p", "logvar_p", "kl_z"), (frames, z_dim))
    assert shapes == {
        "kl": (frames,),
        "times": (frames,),
        "log_px": (frames,),
        "changes": (found["changes"],),
        "mean": (frames, x_dim),
        "logvar": (frames, x_dim),
        **of_z,
    }
    page = (tmp_path / "out" / "player.html").read_text()
    assert f"<title>{Path(file).name}, model " in page
    assert len(page) > 40_000  # the player's program is inside
    assert re.findall(r"<script[^>]*\ssrc=|<link[^>]*\shref=|@import", page) == []


def test_inspect_draws_a_picture_as_wide_as_a_papers_column(speech, run, tmp_path, capsys):
    asked = ("inspect", speech["raw"], speech["clip"], "--width", "82.5", "--picture")
    assert run(*asked, tmp_path / "a.svg")["picture"] == str(tmp_path / "a.svg")
    picture = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert float(picture.get("width")) == pytest.approx(82.5 / 25.4 * 96, abs=0.01)
    assert {"Waveform", "Reconstructed mean"} <= {element.text for element in picture.iter()}
    assert "name a FILE.svg or a FILE.pdf" in fails(capsys, 1, *asked, tmp_path / "a.png")
    assert "give at least 53 mm" in fails(capsys, 1, *asked, tmp_path / "a.svg", "--width=20")


def test_inspect_scores_the_kl_against_labels_and_keeps_them(speech, run, tmp_path):
    labels = tmp_path / "track.txt"
    labels.write_text("0.0\t0.1\tpau\n0.1\t0.2\tAH0\n0.2\t0.3\tS\n")
    rows = tmp_path / "rows.svg"
    found = run(
        "inspect",
        speech["raw"],
        speech["clip"],
        "--labels",
        labels,
        "--out",
        tmp_path,
        "--picture",
        rows,
    )
    assert found["labels"] == 4
    assert {"Labels", "AH0"} <= {
        element.text for element in ElementTree.parse(rows).getroot().iter()
    }
    assert found["vowel-to-fricative"]["events"] == found["pause-to-speech"]["events"] == 1
    assert found["phone"]["events"] == 3  # what ends is a boundary too
    assert 0 <= found["phone"]["active/2"] <= 1
    with np.load(tmp_path / "posterior.npz") as arrays:
        assert arrays["label_names"].tolist() == ["pau", "AH0", "S", ""]
        np.testing.assert_allclose(arrays["label_times"], [0, 0.1, 0.2, 0.3])
    assert run("inspect", speech["raw"], speech["clip"])["labels"] is None


def test_inspect_takes_the_labels_beside_a_recording_and_refuses_those_of_another(
    speech, run, tmp_path, capsys
):
    shutil.copy(speech["clip"], tmp_path / "a.wav")
    (tmp_path / "a.lab").write_text("0.1 0.2 a\n")
    assert run("inspect", speech["raw"], tmp_path / "a.wav")["labels"] == 2
    (tmp_path / "a.lab").write_text("100.0 200.0 a\n")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["inspect", speech["raw"], str(tmp_path / "a.wav"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert '"labels": null' in out
    assert "The labels beside the recording are left out: The first label starts at 100.00" in err
    given = ("inspect", speech["raw"], tmp_path / "a.wav", "--labels", tmp_path / "a.lab")
    assert "starts at 100.00, after the end" in fails(capsys, 1, *given)


def test_transitions_score_phones_where_labels_lie_beside_the_recordings(
    speech, run, tmp_path, capsys
):
    for i in range(3):
        shutil.copy(speech["clip"], tmp_path / f"{i}.wav")
        (tmp_path / f"{i}.TextGrid.txt").touch()
        (tmp_path / f"{i}.lab").write_text("0.0 0.1 pau\n0.1 0.2 a\n0.2 0.3 s\n")
    found = run("transitions", speech["raw"], "--data", tmp_path, "--events=phone,onset")
    assert found["labelled"] == 3
    kinds = {name.split("/")[0] for name in found if "/" in name}
    assert kinds <= {"phone", "onset"}
    assert found["phone/all/0"]["events"] == 9
    assert found["phone/all/0"]["by_clip"] == pytest.approx(found["phone/all/0"]["auc"], abs=0.05)
    (tmp_path / "0.lab").unlink()
    assert (
        run("transitions", speech["raw"], "--data", tmp_path, "--events=phone")["phone/all/0"][
            "clips"
        ]
        == 2
    )
    said = fails(
        capsys, 1, "transitions", speech["raw"], "--data", tmp_path, "--events=chord-change"
    )
    assert "'chord-change' of" in said
    assert "choose from silence-to-sound" in said


def test_inspect_without_a_folder_writes_nothing(music, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("inspect", music["checkpoint"], music["song"])["out"] is None
    assert list(tmp_path.iterdir()) == []


def test_sample_draws_a_song_that_the_seed_decides(music, run, tmp_path):
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        found = run(
            "sample",
            music["checkpoint"],
            "--out",
            tmp_path / f"{name}.mid",
            "--steps",
            20,
            "--seed",
            seed,
        )
        assert (found["frames"], found["drawn"], found["seed"]) == (20, 20, seed)
    a, b, c = ((tmp_path / f"{name}.mid").read_bytes() for name in "abc")
    assert a == b != c
    assert pretty_midi.PrettyMIDI(io.BytesIO(a)).instruments[0].notes


def test_sample_at_temperature_0_needs_no_seed(music, run, tmp_path):
    prime = ("--prime", music["song"], "--steps", 20, "--temperature", 0)
    for seed in (1, 2):
        found = run(
            "sample", music["checkpoint"], "--out", tmp_path / f"{seed}.mid", "--seed", seed, *prime
        )
        assert found["temperature"] == 0
    assert (tmp_path / "1.mid").read_bytes() == (tmp_path / "2.mid").read_bytes()


def test_sample_continues_a_song(music, run, tmp_path):
    found = run(
        "sample",
        music["checkpoint"],
        "--out",
        tmp_path / "a.MID",
        "--steps",
        5,
        "--prime",
        music["song"],
    )
    assert found["frames"] == 15 + 5  # song-03 has 15 frames
    notes = (
        pretty_midi.PrettyMIDI(io.BytesIO((tmp_path / "a.MID").read_bytes())).instruments[0].notes
    )
    start = {n.pitch for n in notes if n.start == 0}
    assert start == {21 + i for i in np.flatnonzero(roll(1, 39)[0])}


def test_sample_redraws_a_stretch_of_a_song_and_leaves_the_rest(music, run, tmp_path):
    song = roll_to_midi(roll(20), 2, Timing(132.0, (Signature(0.0, 3, 4),)))
    (tmp_path / "song.mid").write_bytes(song)
    more = ("--prime", tmp_path / "song.mid", "--between", 3, 4.5, "--particles", 8)
    found = run("sample", music["checkpoint"], "--out", tmp_path / "new.mid", *more)
    assert (found["frames"], found["drawn"]) == (20, 3)
    assert parse_midi((tmp_path / "new.mid").read_bytes()).timing == parse_midi(song).timing
    config = DataConfig(data="fraccaro/jsb")
    new = read_signal(tmp_path / "new.mid", config)
    changed = np.flatnonzero((new != roll(20)[: len(new)]).any(1))
    assert len(new) == 20
    assert changed.min() >= 6
    assert changed.max() < 9


def test_sample_goes_on_in_the_tempo_and_metre_of_the_song(music, run, tmp_path):
    song = roll_to_midi(roll(20), 2, Timing(132.0, (Signature(0.0, 1, 4), Signature(1.0, 3, 4))))
    (tmp_path / "song.mid").write_bytes(song)
    command = ("sample", music["checkpoint"], "--out", tmp_path / "new.mid", "--steps", 8)
    run(*command, "--prime", tmp_path / "song.mid")
    assert parse_midi((tmp_path / "new.mid").read_bytes()).timing == parse_midi(song).timing
    run(*command)
    assert (
        str(parse_midi((tmp_path / "new.mid").read_bytes()).timing)
        == "4/4 at 90 quarter notes a minute"
    )


def test_sample_plays_a_song(music, run, tmp_path):
    run("sample", music["checkpoint"], "--out", tmp_path / "a.wav", "--steps", 6)
    assert soundfile.info(tmp_path / "a.wav").duration > 6 / 3


@pytest.mark.parametrize("features", ["raw", "log-mel"])
def test_sample_draws_speech(features, speech, run, tmp_path):
    for name in "ab":
        run(
            "sample",
            speech[features],
            "--out",
            tmp_path / f"{name}.wav",
            "--steps",
            30,
            "--prime",
            speech["clip"],
        )
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    samples, rate = soundfile.read(tmp_path / "a.wav")
    given = soundfile.info(speech["clip"]).frames
    assert rate == RATE
    assert given + 25 * 80 <= len(samples) <= given + 35 * 80


def test_transitions_reports_the_area_its_null_and_the_splices(music, run):
    found = run("transitions", music["checkpoint"])
    names = {
        "auc",
        "null_mean",
        "null_sd",
        "shifts_better",
        "splice",
        "uncut",
        "splice_larger",
        "clips",
        "frames",
    }
    areas = {"chord-change/all/0", "chord-change/active/0"}
    assert found.keys() == names | areas | {"labelled", "data", "split"}
    assert found["chord-change/active/0"]["auc"] == pytest.approx(found["auc"])
    assert found["clips"] == 2
    assert all(
        0 <= found[name] <= 1 for name in ("auc", "null_mean", "shifts_better", "splice_larger")
    )


def test_benchmark_prints_what_it_measures(run, capsys, monkeypatch):
    figures = {f.name: None if "bf16" in f.name else 1.5 for f in fields(Benchmark)}
    figures |= {
        "shape": "",
        "device": "",
        "frames": 1600,
        "parameters": 1000,
        "peer_parameters": 1010,
    }
    figures |= {"threads": 1}

    def measure(shape, device):
        return Benchmark(**figures | {"shape": shape, "device": device})

    monkeypatch.setattr("srnn_lab.reports.benchmark.benchmark", measure)
    assert run("benchmark", "--shape=timit", "--device=cuda") == figures | {
        "shape": "timit",
        "device": "cuda",
    }
    assert main(["benchmark"]) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert printed.keys() == figures.keys()
    names = ("shape", "device", "frames", "fp32_ms", "bf16_ms")
    assert [printed[name] for name in names] == ["music", "cpu", "1600", "1.5000", "none"]


@pytest.mark.parametrize(
    "argv", [[], *[[c] for c in COMMANDS], *[["train", name] for name in PRESETS]], ids=" ".join
)
def test_every_command_explains_itself(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*argv, "--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(['srnn-lab', *argv])}")


@pytest.mark.parametrize("name", PRESETS)
def test_the_help_of_a_preset_names_every_option_with_its_meaning_and_value(
    name, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "10000")
    with pytest.raises(SystemExit):
        main(["train", name, "--help"])
    text = capsys.readouterr().out
    for section in fields(PRESETS[name]):
        values = getattr(PRESETS[name], section.name)
        for f in fields(values):
            assert re.search(rf"^\s+--{f.name.replace('_', '-')}\b", text, re.MULTILINE), f.name
            default = "none" if getattr(values, f.name) == "" else getattr(values, f.name)
            assert f"{f.metadata['help']} Default: {default}." in text


def fails(capsys, code, *argv):
    """The one line that a failing command leaves on standard error."""
    try:
        found = main([*map(str, argv)])
    except SystemExit as stopped:
        found = stopped.code
    out, err = capsys.readouterr()
    assert found == code
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("load", "threads", "terminal", "said"),
    [(5.2, 2, True, True), (0.4, 2, True, False), (5.2, 1, True, False), (5.2, 2, False, False)],
)
def test_whoever_watches_is_told_that_threads_will_wait_for_other_programs(
    load, threads, terminal, said, monkeypatch, capsys
):
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0, 0))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    _warn_of_others("cpu")
    err = capsys.readouterr().err
    assert ("about 5 CPUs" in err and "OMP_NUM_THREADS=1" in err) == said
    assert bool(err) == said


@pytest.mark.parametrize("command", ["evaluate", "transitions", "inspect", "sample"])
def test_a_checkpoint_that_is_missing_a_folder_or_unreadable_ends_a_command(
    command, music, tmp_path, capsys
):
    more = {"inspect": [music["song"]], "sample": ["--out", tmp_path / "a.mid"]}.get(command, [])
    (tmp_path / "text").write_text("no weights")
    for name, said in {
        "none": "neither a file nor a bundled checkpoint",
        ".": "neither a file nor a bundled checkpoint",
        "text": "is not a readable .safetensors file",
    }.items():
        line = fails(capsys, 1, command, tmp_path / name, *more)
        assert str(tmp_path / name) in line
        assert said in line
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


@pytest.mark.parametrize(
    "command", [["inspect"], ["sample", "--out", "a.mid", "--prime"]], ids=["inspect", "prime"]
)
@pytest.mark.parametrize(
    "name",
    ["none.mid", "none.wav", "folder.mid", "folder", "broken.mid", "broken.wav", "empty.mid"],
)
def test_a_clip_that_cannot_be_read_ends_a_command(command, name, music, tmp_path, capsys):
    for folder in ("folder.mid", "folder"):
        (tmp_path / folder).mkdir()
    for broken in ("broken.mid", "broken.wav"):
        (tmp_path / broken).write_bytes(b"MThd nothing\n" * 9)
    (tmp_path / "empty.mid").touch()
    assert str(tmp_path / name) in fails(
        capsys, 1, command[0], music["checkpoint"], *command[1:], tmp_path / name
    )


def test_a_clip_of_the_wrong_kind_ends_a_command(music, speech, capsys):
    assert "trained on MIDI and was given audio" in fails(
        capsys, 1, "inspect", music["checkpoint"], speech["clip"]
    )
    assert "trained on audio and was given MIDI" in fails(
        capsys, 1, "inspect", speech["raw"], music["song"]
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["evaluate", "--data", "nowhere"], "'nowhere' is neither a data set"),
        (["evaluate", "--data", "fraccaro/jsb", "--data-dir", "nowhere"], "nowhere lacks music/"),
        (["evaluate", "--data", "timit"], "'timit' is licensed and not bundled"),
        (
            ["evaluate", "--resampling-share", "2"],
            "--resampling-share is 2.0, which is out of its range",
        ),
        (["evaluate", "--bound", "fivo:999999"], "The particles of fivo:999999 would take"),
        (["evaluate", "--split", "dev"], "The split is 'dev'; choose one of train, valid, test"),
        (["transitions", "--data", "nowhere"], "'nowhere' is neither a data set"),
        (
            ["sample", "--out", "a.mp3"],
            "--out is a.mp3; this checkpoint writes FILE.mid or FILE.wav",
        ),
        (["sample", "--out", "a.mid", "--between", "1", "2"], "--between is a stretch of --prime"),
        (
            ["sample", "--out=a.mid", "--prime=song.mid", "--between", "1", "nan"],
            "--between is [1.0, nan]; give two finite numbers",
        ),
        (["sample", "--out", "a"], "--out is a; this checkpoint writes FILE.mid or FILE.wav"),
    ],
)
def test_what_a_checkpoint_cannot_be_used_for_ends_a_command(
    argv, said, music, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRNN_LAB_DATA", raising=False)
    assert said in fails(capsys, 1, argv[0], music["checkpoint"], *argv[1:])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--row=table2/jsb/seed1"], "The row table2/jsb/seed1 is measured on"),
        (["--row=a b"], "The row is named 'a b'"),
        (["--record=text"], "Line 1 of text is no result (it is no JSON); mend or remove it."),
        (["--record=folder"], "folder"),
    ],
)
def test_what_cannot_be_recorded_ends_evaluate_before_it_begins(
    argv, said, music, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("srnn_lab.inference.evaluation.evaluate", None)
    (tmp_path / "text").write_text("my notes\n")
    (tmp_path / "folder").mkdir()
    assert said in fails(capsys, 1, "evaluate", music["checkpoint"], "--record", *argv)
    assert (tmp_path / "text").read_text() == "my notes\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "text"]


@pytest.mark.parametrize("command", ["evaluate", "transitions"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epoch": None}, "best_epoch is None; expected a value of type int"),
        ({"epoch": "3"}, "best_epoch is '3'; expected a value of type int"),
        ({"epoch": 1.5}, "best_epoch is 1.5; expected a value of type int"),
        ({"precision": "fp8"}, "precision is 'fp8'; choose one of"),
        ({"precision": 3}, "precision is 3; expected a value of type str"),
    ],
)
def test_scores_that_could_not_be_recorded_are_said_before_anything_is_measured(
    changes, said, command, music, capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr("srnn_lab.inference.evaluation.evaluate", None)
    monkeypatch.setattr("srnn_lab.analysis.transitions.measure_transitions", None)
    before = load_checkpoint(music["checkpoint"])
    scores = {
        name: value for name, value in {**before.scores, **changes}.items() if value is not None
    }
    save_checkpoint(replace(before, scores=scores), tmp_path / "best.safetensors")
    record(a_result("a"), tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    line = fails(
        capsys, 1, command, tmp_path / "best.safetensors", "--record", tmp_path / "file", "--row=b"
    )
    assert f"{tmp_path / 'best.safetensors'} cannot be recorded (" in line
    assert said in line
    assert (tmp_path / "file").read_bytes() == content


def test_an_unfinished_run_is_not_recorded(music, capsys, tmp_path):
    checkpoint = replace(load_checkpoint(music["checkpoint"]), scores={})
    save_checkpoint(checkpoint, tmp_path / "best.safetensors")
    line = fails(
        capsys, 1, "evaluate", tmp_path / "best.safetensors", "--record", tmp_path / "results.jsonl"
    )
    assert "is of a run that has not ended" in line


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["reproduce", "bundled/jbs"], "holds no row 'bundled/jbs'; the nearest are bundled/jsb"),
        (["reproduce", "a", "--results=empty"], "empty holds no row 'a'; it holds none"),
        (["reproduce", "a", "--results=none"], "srnn-lab: No such file or directory: 'none'"),
        (["results", "--results=text"], "Line 1 of text is no result (it is no JSON)"),
        (["results", "--write=text"], "text cannot be filled in: it has no block"),
        (["results", "--write=none"], "srnn-lab: No such file or directory: 'none'"),
    ],
)
def test_results_that_are_not_there_end_a_command(argv, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("my notes\n")
    (tmp_path / "empty").touch()
    assert said in fails(capsys, 1, *argv)
    assert (tmp_path / "text").read_text() == "my notes\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--epochs=0"], "srnn-lab: --epochs is 0"),
        (["--learning-rate=nan"], "srnn-lab: --learning-rate is nan"),
        (["--num-particles=0"], "srnn-lab: --num-particles is 0"),
        (["--features=raw"], "srnn-lab: --x-dim is 88; frames of 'raw' have 200 values"),
        (["--model=gan", "--data=nowhere"], "srnn-lab: --model is 'gan'; choose one of"),
        (
            ["--likelihood=tarot", "--data=nowhere"],
            "srnn-lab: --likelihood is 'tarot'; choose one of",
        ),
        (["--device=abacus"], "The device 'abacus' cannot be used"),
        (["--batch-size=1000"], "lower batch_size or segment_length"),
        (["--data=nowhere"], "'nowhere' is neither a data set"),
        (["--out=taken"], "taken is a file; a run needs a folder"),
    ],
)
def test_a_run_that_cannot_begin_ends_the_command(
    options, said, music, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    assert said in fails(
        capsys, 1, "train", "jsb", "--data", music["data"], "--out", "run", *options
    )
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_inspect_needs_a_folder_and_says_so_before_it_begins(music, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("srnn_lab.data.read_signal", None)
    (tmp_path / "taken").write_text("mine")
    line = fails(
        capsys, 1, "inspect", music["checkpoint"], music["song"], "--out", tmp_path / "taken"
    )
    assert f"--out is {tmp_path / 'taken'}, which is a file; name a folder" in line
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize(
    "command", [["inspect"], ["sample", "--out", "a.wav", "--prime"]], ids=["inspect", "prime"]
)
def test_no_more_of_a_recording_is_read_than_a_model_takes(
    command, speech, capsys, tmp_path, monkeypatch
):
    """12,000 frames of 80 samples at 8 kHz are two minutes."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("long.wav", np.zeros(20 * 60 * 1000, np.int16), 1000)
    line = fails(capsys, 1, command[0], speech["raw"], *command[1:], "long.wav")
    assert "long.wav lasts 1200 s; at most 121 s are read" in line


def test_a_song_that_is_too_long_is_not_continued(music, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("srnn_lab.analysis.inspection.MAX_FRAMES", 10)
    line = fails(
        capsys,
        1,
        "sample",
        music["checkpoint"],
        "--prime",
        music["song"],
        "--out",
        tmp_path / "a.mid",
    )
    assert "The clip has 15 frames; at most 10 are inspected" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["taken/a.mid", "folder.mid"])
def test_a_place_that_cannot_be_written_to_ends_a_command(out, music, capsys, tmp_path):
    (tmp_path / "taken").touch()
    (tmp_path / "folder.mid").mkdir()
    line = fails(capsys, 1, "sample", music["checkpoint"], "--steps", 5, "--out", tmp_path / out)
    assert f"{tmp_path / out} could not be written" in line


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "COMMAND"),
        (["play"], "'play'"),
        (["train"], "a PRESET to start with, or --resume RUN, is required"),
        (
            ["train", "jsb", "--out=a", "--resume=b"],
            "--out a is for a new run, and --resume b names another",
        ),
        (
            ["train", "--out=a", "--resume=b"],
            "--out a is for a new run, and --resume b names another",
        ),
        (["train", "jsb", "--resume"], "--resume: expected one argument"),
        (["train", "jazz"], "'jazz'"),
        (["train", "jsb", "--epochs", "many"], "--epochs: invalid int value: 'many'"),
        (["train", "jsb", "--features", "mfcc"], "--features: invalid choice: 'mfcc'"),
        (["train", "jsb", "--epoch-size", "3"], "--epoch-size"),
        (["evaluate"], "CHECKPOINT"),
        (["evaluate", "jsb", "--average", "mean"], "--average: invalid choice: 'mean'"),
        (
            ["evaluate", "jsb", "--bound", "elbo,iwae"],
            "--bound: The bound 'iwae' is unknown; choose elbo, iwae:K,",
        ),
        (["evaluate", "jsb", "--bound", ""], "--bound: The bound '' is unknown"),
        (["evaluate", "jsb", "--resampling", "none"], "--resampling: invalid choice: 'none'"),
        (["evaluate", "jsb", "--convention", "mine"], "--convention: invalid choice: 'mine'"),
        (["evaluate", "jsb", "--seed", "-1"], "--seed: '-1' is not a whole number from 0"),
        (
            ["evaluate", "jsb", "--repetitions", "0"],
            "--repetitions: '0' is not a whole number from 1",
        ),
        (
            ["sample", "jsb", "--out", "a.mid", "--steps", "-5"],
            "--steps: '-5' is not a whole number from 1",
        ),
        (["evaluate", "jsb", "--row=a"], "--row names a row of the file that --record writes"),
        (["transitions", "jsb", "--row=a"], "--row names a row of the file that --record writes"),
        (
            ["transitions", "jsb", "--events=onset", "--record=a"],
            "--record takes all kinds of events",
        ),
        (
            ["transitions", "jsb", "--events=word"],
            "'word' is no kind of event; choose from silence-to-sound",
        ),
        (["results", "--table=table3"], "--table: invalid choice: 'table3'"),
        (["results", "--markdown", "--write=README.md"], "not allowed with argument"),
        (["reproduce"], "ROW"),
        (["inspect", "jsb"], "FILE"),
        (["sample", "jsb"], "--out"),
        (
            ["evaluate", "jsb", "--repetitions", f"{10**22}"],
            "is not a whole number from 1 to 10000",
        ),
        (
            ["sample", "jsb", "--out=a.mid", "--steps", f"{10**22}"],
            "is not a whole number from 1 to 100000",
        ),
        (
            ["sample", "jsb", "--out=a.mid", "--steps", 5000 * "9"],
            "is not a whole number from 1 to 100000",
        ),
        (["train", "jsb", "--epochs", 5000 * "9"], "--epochs: invalid int value: '9999"),
        (
            ["sample", "jsb", "--out", "a.mid", "--seed", str(2**32)],
            "is not a whole number from 0 to 2^32 - 1",
        ),
    ],
)
def test_a_wrong_option_is_named(argv, said, capsys):
    line = fails(capsys, 2, *argv)
    assert said in line
    assert "--help" in line


OPTIONS_OF_TEXT = {
    "train jsb": ("out", "resume", "data-dir", "device", "data", "model", "likelihood"),
    "evaluate jsb": ("record", "row", "data", "split", "data-dir"),
    "transitions jsb": ("record", "row", "data", "split", "data-dir"),
    "inspect jsb a.mid": ("out",),
    "sample jsb": ("out", "prime"),
    "results": ("results", "write"),
    "reproduce a": ("results",),
}


@pytest.mark.parametrize(
    ("command", "option"),
    [(command, name) for command, names in OPTIONS_OF_TEXT.items() for name in names],
)
def test_an_option_without_a_value_is_named(command, option, capsys):
    """An empty path would be the current folder."""
    line = fails(capsys, 2, *command.split(), f"--{option}=")
    assert f"argument --{option}: it is empty; give a value or leave the option out" in line


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["evaluate", 10**6 * "x"], 1),
        (["train", "jsb", f"--data={10**6 * 'x'}"], 1),
        (["train", "jsb", f"--model={10**6 * 'x'}"], 1),
        (["train", "jsb", f"--epochs={10**6 * 'x'}"], 2),
        (["train", 10**6 * "x"], 2),
        (["evaluate", "jsb", f"--bound={10**6 * 'x'}"], 2),
        (["evaluate", "jsb", f"--seed={10**6 * 'x'}"], 2),
        (["reproduce", 10**6 * "x"], 1),
    ],
)
def test_a_message_repeats_no_megabyte(argv, code, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = fails(capsys, code, *argv)
    assert 20 < len(line) < 1200


def test_a_message_steers_no_terminal(capsys):
    """Nor does it fail at a byte that is no UTF-8, which is shown as ``ls`` shows it."""
    name = b"caf\xe9 \x1b]0;owned\x07\x1b[2J\xc2\x9b\xe2\x80\xae.mid".decode(
        errors="surrogateescape"
    )
    line = fails(capsys, 1, "inspect", "jsb", name)
    assert r"caf\xe9 \x1b]0;owned\x07\x1b[2J\x9b\u202e.mid does not exist" in line
    assert line.isprintable() or line[:-1].isprintable()


@pytest.mark.parametrize(
    ("code", "argv"), [(1, ["evaluate", "no\nfile"]), (2, ["evaluate", "jsb", "--no\noption"])]
)
def test_a_message_of_several_lines_is_printed_as_one(code, argv, capsys):
    assert argv[-1].replace("\n", " ") in fails(capsys, code, *argv)


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_on_standard_error(music, capsys, tmp_path):
    song = pretty_midi.PrettyMIDI(music["song"])
    song.instruments[0].notes.append(pretty_midi.Note(velocity=80, pitch=10, start=0, end=1))
    song.write(str(tmp_path / "low.mid"))
    before = warnings.showwarning
    assert main(["inspect", music["checkpoint"], str(tmp_path / "low.mid")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"srnn-lab: {tmp_path / 'low.mid'}: 1 of ")
    assert warnings.showwarning is before


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (Stopped("continue with: this", signal.SIGINT), 130, "srnn-lab: continue with: this\n"),
        (Stopped("continue with: this", signal.SIGTERM), 143, "srnn-lab: continue with: this\n"),
        (KeyboardInterrupt(), 130, "srnn-lab: stopped.\n"),
    ],
)
def test_a_run_that_was_stopped_ends_the_command_with_a_sentence(
    raised, status, said, capsys, tmp_path, monkeypatch
):
    def interrupted(*args, **kwargs):
        raise raised

    monkeypatch.setattr("srnn_lab.training.fitting.fit", interrupted)
    assert fails(capsys, status, "train", "jsb", "--out", tmp_path) == said


@pytest.fixture
def train(capsys):
    """Train, which shows its progress on standard error, and return the JSON object."""

    def train(*argv):
        assert main(["train", *map(str, argv), "--json"]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return train


@pytest.fixture
def begun(music, tmp_path, capsys):
    """The options of a finished run of one epoch, and its folder."""
    options = ["--data", music["data"], *SMALL, "--batch-size=4", "--segment-length=8"]
    assert main(["train", "jsb", *options, "--epochs=1", "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    return options, tmp_path / "run"


def test_a_run_is_continued_only_when_asked(begun, capsys):
    options, out = begun
    line = fails(capsys, 1, "train", "jsb", *options, "--out", out)
    assert f"continue it with --resume {out}" in line


def test_a_run_is_continued_with_what_is_stored_in_it(begun, train):
    options, out = begun
    assert train("--resume", out, "--epochs=2")["training"]["epochs"] == 2
    assert train("jsb", *options, "--resume", out, "--out", out)["training"]["epochs"] == 2


@pytest.mark.parametrize("preset", [[], ["jsb"]])
def test_an_option_that_contradicts_the_run_is_named(preset, begun, capsys):
    options, out = begun
    line = fails(
        capsys, 1, "train", *preset, *options, "--resume", out, "--seed=2", "--no-smoothing"
    )
    assert "(--smoothing was True, now False, --seed was 1, now 2)" in line


def test_another_preset_does_not_continue_a_run(begun, capsys):
    options, out = begun
    line = fails(capsys, 1, "train", "nottingham", *options, "--resume", out)
    assert "--learning-rate-decay was 0.95, now " in line


def test_a_run_that_is_not_there_is_begun_only_with_a_preset(begun, capsys, tmp_path, train):
    options, _ = begun
    line = fails(capsys, 1, "train", "--resume", tmp_path / "new", "--epochs=1")
    assert f"{tmp_path / 'new'} holds no run to continue; name a PRESET to start one there." in line
    found = train("jsb", *options, "--resume", tmp_path / "new", "--epochs=1")
    assert found["checkpoint"] == str(tmp_path / "new" / "best.safetensors")


@pytest.mark.slow
def test_the_module_runs_as_a_program(music):
    def program(*argv):
        return subprocess.run(
            [sys.executable, "-m", "srnn_lab", *argv], capture_output=True, text=True, check=False
        )

    done = program("evaluate", music["checkpoint"], "--json")
    assert (done.returncode, without_bar(done.stderr)) == (0, "")
    assert json.loads(done.stdout.splitlines()[-1])["sequences"] == 2
    failed = program("train", "jsb", "--epochs", "0")
    assert (failed.returncode, failed.stdout, failed.stderr.count("\n")) == (1, "", 1)
    assert failed.stderr.startswith("srnn-lab: --epochs is 0")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--gated-transition"],
            "--gated-transition has no effect where model is 'srnn'; it counts with 'dkf' alone",
        ),
        (["--model", "vrnn", "--no-smoothing"], "--smoothing has no effect where model is 'vrnn'"),
        (["--num-particles", "8"], "--num-particles has no effect where objective is 'elbo'"),
        (["--frame-length", "100"], "--frame-length has no effect where features is 'roll'"),
        (
            ["--data=bl/jsb", "--frames-per-quarter=2"],
            "--frames-per-quarter is 2; the rolls of 'bl/jsb' have 1",
        ),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused_before_training(
    options, said, music, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(
        "srnn_lab.training.fitting.fit", lambda *_, **__: pytest.fail("training has begun")
    )
    assert said in fails(
        capsys, 1, "train", "jsb", "--data", music["data"], "--out", tmp_path / "run", *options
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("preset", "data", "frames"),
    [("jsb", "bl/jsb", 1), ("bl-jsb", "bl/muse", 2), ("jsb", "fraccaro/piano", 2)],
)
def test_another_set_of_published_rolls_brings_its_own_frames_in_a_quarter_note(
    preset, data, frames, monkeypatch
):
    seen = []

    def fit(config, *args, **kwargs):
        seen.append(config.data.frames_per_quarter)
        raise ValueError("enough")

    monkeypatch.setattr("srnn_lab.training.fitting.fit", fit)
    assert main(["train", preset, "--data", data]) == 1
    assert seen == [frames]
