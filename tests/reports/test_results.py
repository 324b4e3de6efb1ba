import hashlib
import json
import os
import resource
import shlex
import subprocess
import threading
from dataclasses import replace

import numpy as np
import pytest
from tiny import a_result, music_run

from srnn_lab.cli import make_parser
from srnn_lab.cli.train import configured
from srnn_lab.config import CONVENTIONS, PRESETS, DataConfig, ModelConfig, TrainConfig
from srnn_lab.reports import records as results
from srnn_lab.reports.records import Result, read_results, record, signals_sha256, surroundings


def test_a_recorded_result_is_read_back_whole(tmp_path):
    file = tmp_path / "new" / "results.jsonl"
    result = a_result(
        "family/bl-jsb/vrnn", figures={"elbo": -7.0, "fivo:128": -6.5, "fivo:128_se": 0.1}
    )
    record(result, file)
    assert read_results(file) == {"family/bl-jsb/vrnn": result}
    assert result.bounds == ["elbo", "fivo:128"]


def test_what_is_recorded_of_each_sequence_is_read_back_and_must_be_of_each(tmp_path):
    file = tmp_path / "results.jsonl"
    result = a_result("a", sums=[-40.0, -50.0], lengths=[9, 11])
    record(result, file)
    assert read_results(file) == {"a": result}
    with pytest.raises(
        ValueError,
        match=r"sums and lengths have 1 and 1 values; expected .* each of the 2 sequences",
    ):
        a_result("a", sums=[-40.0], lengths=[9])


def test_the_last_line_of_a_row_counts_and_no_line_is_lost(tmp_path):
    file = tmp_path / "results.jsonl"
    for row, elbo in (("a", -1.0), ("b", -2.0), ("a", -3.0)):
        record(a_result(row, figures={"elbo": elbo}), file)
    assert {row: result.figures["elbo"] for row, result in read_results(file).items()} == {
        "a": -3.0,
        "b": -2.0,
    }
    assert len(file.read_text().splitlines()) == 3


def test_a_line_is_appended_after_one_that_an_editor_left_without_its_end(tmp_path):
    file = tmp_path / "results.jsonl"
    file.write_text(json.dumps(a_result("a").to_dict()))
    record(a_result("b"), file)
    assert list(read_results(file)) == ["a", "b"]


def test_many_that_record_at_once_lose_nothing(tmp_path):
    file = tmp_path / "results.jsonl"
    rows = [f"row{i}" for i in range(40)]
    threads = [
        threading.Thread(
            target=lambda part: [record(a_result(r), file) for r in part], args=(rows[i::4],)
        )
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_results(file)) == sorted(rows)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path):
    file = tmp_path / "results.jsonl"
    record(a_result("a"), file)
    before, limits = file.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    # The next line fits in part.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(
            OSError,
            match=r"results\.jsonl could not be written .*; what was there before is unchanged",
        ):
            record(a_result("b"), file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == before


def broken(**changes):
    return json.dumps({**a_result("a").to_dict(), **changes})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no JSON", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[1]", r"it is \[1\]; expected keys and values"),
        (broken(colour="red"), "its key 'colour' is unknown"),
        (json.dumps({"row": "a"}), "its key 'average' is missing"),
        (broken(row="../a"), "row is named '../a'"),
        (broken(row="a b"), "row is named 'a b'"),
        (broken(command="train"), "The command is 'train'; expected evaluate, transitions, probe"),
        (broken(frames="12"), "frames is '12'; expected a value of type int"),
        (broken(first_frame=1), "first_frame is 1; expected a value of type bool"),
        (broken(figures=[1]), r"figures is \[1\]; expected a value of type dict"),
        (
            broken(figures={"elbo": "high"}),
            r"figures\['elbo'\] is 'high'; expected a value of type float",
        ),
        (broken(figures={"elbo": float("nan")}), "expected finite numbers, the elbo among them"),
        (broken(figures={"kl": 1.0}), "expected finite numbers, the elbo among them"),
        (
            broken(figures={"elbo": 10**400}),
            r"figures\['elbo'\] is a whole number too large for type float",
        ),
        (broken(seconds=10**400), "seconds is a whole number too large for type float"),
        (
            json.dumps({**a_result("a").to_dict(), "row": 10**9}).replace(
                "1" + 9 * "0", 5000 * "9"
            ),
            "digits",
        ),
        (broken(row="a" * 201), "of 200 characters at most"),
        (broken(average="mean"), "average is 'mean'; choose one of"),
        (broken(resampling="dice"), "resampling is 'dice'; choose one of"),
        (broken(resampling_share=2), "resampling_share is 2.0, which is out of its range"),
        (broken(config={"model": {"colour": 1}}), "ModelConfig has no key 'colour'"),
    ],
)
def test_a_broken_line_costs_that_line_with_a_sentence_of_file_and_line(line, reason, tmp_path):
    file = tmp_path / "results.jsonl"
    said = rf"^Line {{}} of {file} is no result \(.*{reason}.*\){{}}; mend or remove it\.$"
    file.write_text(
        f"{json.dumps(a_result('a').to_dict())}\n\n{line}\n{json.dumps(a_result('b').to_dict())}"
    )
    with pytest.warns(UserWarning, match=said.format(3, ", so it was left out")) as caught:
        assert list(read_results(file)) == ["a", "b"]
    assert len(str(caught[0].message)) < 1000
    file.write_text(f"{line}\n")  # nothing else: another file was meant
    with pytest.raises(ValueError, match=said.format(1, "")):
        read_results(file)


def test_of_very_many_broken_lines_a_few_are_said(tmp_path):
    file = tmp_path / "results.jsonl"
    record(a_result("a"), file)
    file.write_text(file.read_text() + 100 * "words\n")
    with pytest.warns(UserWarning) as caught:
        assert list(read_results(file)) == ["a"]
    assert len(caught) == 6
    assert str(caught[-1].message) == f"95 more lines of {file} are no results."


@pytest.mark.parametrize(
    "changes",
    [
        {"best_epoch": "3"},
        {"best_epoch": None},
        {"frames": 2.5},
        {"seconds": 10**400},
        {"data": 3},
        {"seed": True},
    ],
)
def test_what_could_not_be_read_again_is_not_recorded(changes, tmp_path):
    file = tmp_path / "results.jsonl"
    record(a_result("a"), file)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=next(iter(changes))):
        record(unchecked(a_result("b"), **changes), file)
    assert file.read_bytes() == before


def unchecked(result, **changes):
    """A result with values that its constructor's type checks, which only tests have, refuse."""
    for name, value in changes.items():
        object.__setattr__(result, name, value)
    return result


def test_a_file_that_is_no_text_is_refused_and_one_that_is_not_there_too(tmp_path):
    (tmp_path / "picture").write_bytes(bytes(range(128, 256)))
    with pytest.raises(ValueError, match=r"Line 1 of .*picture is no result"):
        read_results(tmp_path / "picture")
    with pytest.raises(FileNotFoundError, match="none"):
        read_results(tmp_path / "none")


CONFIGS = {
    **PRESETS,
    "vrnn": replace(PRESETS["jsb"], model=ModelConfig(model="vrnn", hidden_dim=7)),
    "filtering": replace(
        PRESETS["jsb"], model=ModelConfig(model="dkf", smoothing=False, gated_transition=True)
    ),
    "fivo": replace(
        PRESETS["jsb"],
        data=DataConfig(data="bl/jsb", frames_per_quarter=1),
        train=TrainConfig(
            objective="fivo", num_particles=8, learning_rate=1 / 3, epochs=7, seed=2**32 - 1
        ),
        evaluation=CONVENTIONS["field-music"],
    ),
    "folder": music_run("/music/my songs; $(rm -rf ~)"),
    "speech": replace(
        PRESETS["voice-mel"], data=replace(PRESETS["voice-mel"].data, window_length=400)
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_training_command_gives_the_configuration_again(name):
    words = shlex.split(a_result("a/seed1", config=CONFIGS[name]).train)
    assert words[:2] == ["srnn-lab", "train"]
    args = make_parser().parse_args(words[1:])
    config = configured(PRESETS[args.preset], vars(args))
    assert config == CONFIGS[name]
    config.check_read(vars(args))
    assert f"{args.resume}" == "runs/a-seed1"


def test_the_training_command_names_the_nearest_preset_and_only_what_differs():
    assert a_result("a", config=PRESETS["muse"]).train == "srnn-lab train muse --resume=runs/a"
    changed = replace(PRESETS["jsb"], model=ModelConfig(model="dkf", residual=False))
    assert (
        a_result("b/c", config=changed).train
        == "srnn-lab train jsb --model=dkf --no-residual --resume=runs/b-c"
    )


def test_the_evaluation_command_names_what_differs_from_its_defaults():
    plain = "srnn-lab evaluate runs/a/best.safetensors --bound=elbo"
    config = PRESETS["jsb"]
    as_trained = {
        "average": "macro",
        "first_frame": False,
        "data": "fraccaro/jsb",
        "config": config,
    }
    assert a_result("a", **as_trained).measure == f"{plain} --record --row=a"
    bundled = a_result("bundled/jsb", **as_trained, checkpoint="jsb")
    assert bundled.measure == "srnn-lab evaluate jsb --bound=elbo --record --row=bundled/jsb"
    assert bundled.commands == [bundled.measure]
    other = a_result(
        "a", config=config, data="my songs", split=(
            "all"
        ), figures={"elbo": -1.0, "iwae:3": -0.9, "iwae:3_se": 0.1},
        average="micro", first_frame=True, resampling=(
            "multinomial"
        ), resampling_share=0.3, repetitions=2, seed=5,
    )  # fmt: skip
    assert other.measure == (
        "srnn-lab evaluate runs/a/best.safetensors --bound=elbo,iwae:3 --average=micro "
        "--first-frame --resampling=multinomial --resampling-share=0.3 '--data=my songs' "
        "--split=all --repetitions=2 --seed=5 --record --row=a"
    )
    assert other.commands == [other.train, other.measure]
    spikes = a_result("a", **as_trained, command="transitions", figures={"auc": 0.5})
    assert spikes.measure == "srnn-lab transitions runs/a/best.safetensors --record --row=a"


def test_the_hash_of_signals_is_that_of_their_types_shapes_and_bytes():
    roll, wave = np.eye(3, 88, dtype=bool), np.arange(5, dtype=np.int16)
    expected = hashlib.sha256(
        b"bool(3, 88)" + roll.tobytes() + b"int16(5,)" + wave.tobytes()
    ).hexdigest()
    assert signals_sha256([roll, wave]) == expected
    others = [
        [wave, roll],
        [roll],
        [~roll, wave],
        [roll.reshape(88, 3), wave],
        [roll, wave.astype(np.int32)],
    ]
    assert expected not in {signals_sha256(signals) for signals in others}


def test_a_line_of_before_there_were_devices_was_measured_on_a_cpu_in_fp32():
    """All of the package's were."""
    line = a_result("a").to_dict()
    assert (line.pop("device"), line.pop("precision")) == ("cpu", "fp32")
    assert Result.from_dict(line) == a_result("a")
    assert Result.from_dict(a_result("a", device="a GPU").to_dict()).device == "a GPU"


def test_the_surroundings_are_those_of_a_result():
    found = surroundings()
    assert found["cpu"]
    assert found["threads"] >= 1
    assert Result.from_dict(a_result("a", **found).to_dict()) == a_result("a", **found)


def test_the_commit_is_that_of_the_packages_own_repository(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    alone = {
        "CEILING_DIRECTORIES": str(tmp_path.parent),
        "CONFIG_GLOBAL": os.devnull,
        "CONFIG_SYSTEM": os.devnull,
    }
    for name, value in alone.items():
        monkeypatch.setenv(f"GIT_{name}", value)
    monkeypatch.setattr(results, "__file__", str(tmp_path / "results.py"))
    (tmp_path / "results.py").write_text("first\n")
    assert surroundings()["commit"] == ""  # no repository
    git("init")
    git("commit", "--allow-empty", "-m", "another project")
    assert surroundings()["commit"] == ""  # the file is not its own
    git("add", "results.py")
    git("commit", "-m", "ours")
    assert surroundings()["commit"] == git("rev-parse", "HEAD")
    (tmp_path / "results.jsonl").write_text("{}\n")
    assert surroundings()["commit"] == git("rev-parse", "HEAD")  # code alone counts
    (tmp_path / "results.py").write_text("second\n")
    assert surroundings()["commit"] == git("rev-parse", "HEAD") + "+"
