import json
import pickle
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import CONTEXT, PATIENCE
from safetensors import safe_open
from safetensors.torch import save_file
from tiny import FRAMES_PER_QUARTER, music_run, roll, speech_run, untrained

from srnn_lab.checkpoint import (
    FORMAT,
    list_checkpoints,
    load_checkpoint,
    read_config,
    read_header,
    save_checkpoint,
    write_atomically,
)
from srnn_lab.data import make_batch
from srnn_lab.inference.bounds import draw_noise, elbo
from srnn_lab.models import MODELS

SCORES = {"epoch": 3, "valid": {"elbo": -8.25, "average": "macro", "first_frame": False}}


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(untrained(music_run(), scores=SCORES), path)
    return path


def rewrite(path: Path, change=lambda header, tensors: None, make_text=json.dumps) -> None:
    """Store a checkpoint again with parts of it changed."""
    with safe_open(path, "pt") as opened:
        stored = json.loads(opened.metadata()["srnn_lab"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    change(stored, tensors)
    save_file(tensors, path, {"srnn_lab": make_text(stored)})


def frame_elbo(checkpoint, frames):
    batch = make_batch([frames])
    noise = draw_noise(checkpoint.model, batch, torch.Generator().manual_seed(0))
    with torch.no_grad():
        return elbo(checkpoint.model, batch, noise=noise).elbo


def refusal(path: Path) -> str:
    """The one sentence with which a file is refused."""
    with pytest.raises(ValueError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("config", [music_run(), speech_run(), speech_run(features="log-mel")])
def test_a_loaded_checkpoint_is_the_one_that_was_saved(config, tmp_path):
    path = tmp_path / "new" / "folder" / "model.safetensors"
    extra = {"curves": torch.arange(6.0, dtype=torch.float64).view(2, 3), "step": torch.tensor(7)}
    before = untrained(config, scores=SCORES, extra=extra)
    save_checkpoint(before, path)
    after = load_checkpoint(path)
    assert after.config == config
    assert after.scores == SCORES
    assert after.frontend.config == config.data
    np.testing.assert_array_equal(after.frontend.mean, before.frontend.mean)
    np.testing.assert_array_equal(after.frontend.std, before.frontend.std)
    assert after.extra.keys() == extra.keys()
    assert all(torch.equal(after.extra[name], extra[name]) for name in extra)
    assert not after.model.training
    assert all(parameter.requires_grad for parameter in after.model.parameters())
    frames = torch.randn(9, config.model.x_dim).sigmoid().numpy()
    assert torch.equal(frame_elbo(after, frames), frame_elbo(before, frames))


def test_the_range_of_the_training_frames_is_kept_and_may_be_missing_but_not_reversed(tmp_path):
    path = tmp_path / "model.safetensors"
    before = untrained(speech_run(features="log-mel"))
    bins = before.config.model.x_dim
    low, high = np.full(bins, -3, np.float32), np.linspace(0, 2, bins, dtype=np.float32)
    save_checkpoint(replace(before, frontend=replace(before.frontend, low=None, high=None)), path)
    assert (load_checkpoint(path).frontend.low, load_checkpoint(path).frontend.high) == (None, None)
    save_checkpoint(replace(before, frontend=replace(before.frontend, low=low, high=high)), path)
    after = load_checkpoint(path).frontend
    np.testing.assert_array_equal(after.low, low)
    np.testing.assert_array_equal(after.high, high)
    rewrite(path, lambda _, tensors: tensors.pop("normalisation.low"))
    assert "no range from low to high" in refusal(path)
    save_checkpoint(replace(before, frontend=replace(before.frontend, low=high, high=low)), path)
    assert "no range from low to high" in refusal(path)


@pytest.mark.parametrize("run", [music_run(), speech_run()])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_and_likelihood_is_loaded_as_it_was_saved(name, run, tmp_path):
    likelihood = {"bernoulli": "nade", "gaussian": "gaussian-mixture"}[run.model.likelihood]
    model = replace(
        run.model, model=name, likelihood=likelihood, num_components=3, gated_transition=True
    )
    before = untrained(replace(run, model=model))
    save_checkpoint(before, tmp_path / "model")
    after = load_checkpoint(tmp_path / "model")
    assert after.config.model == model
    frames = torch.randn(9, model.x_dim).sigmoid().round().numpy()
    assert torch.equal(frame_elbo(after, frames), frame_elbo(before, frames))


def test_loading_leaves_the_random_numbers_alone(saved):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_checkpoint(saved)
    assert torch.equal(torch.rand(3), expected)


def test_a_half_precision_checkpoint_is_smaller_and_gives_nearly_the_same_bound(tmp_path):
    before = untrained(music_run())
    for name, half in {"whole": False, "half": True}.items():
        save_checkpoint(before, tmp_path / name, half=half)
    with safe_open(tmp_path / "half", "pt") as opened:
        kinds = {
            opened.get_tensor(name).dtype
            for name in opened.keys()  # noqa: SIM118
            if name.startswith("model.")
        }
    assert kinds == {torch.float16}
    assert (tmp_path / "half").stat().st_size < 0.7 * (tmp_path / "whole").stat().st_size
    after = load_checkpoint(tmp_path / "half")
    assert {parameter.dtype for parameter in after.model.parameters()} == {torch.float32}
    difference = (frame_elbo(after, roll(9)) - frame_elbo(before, roll(9))).abs().max()
    assert 0 < difference < 0.1


def test_the_bundled_checkpoints_are_listed_by_name_and_found_by_it():
    bundled = list_checkpoints()
    assert all(path.is_file() and path.stem == name for name, path in bundled.items())
    for name, path in bundled.items():
        assert load_checkpoint(name).config == load_checkpoint(path).config


@pytest.mark.parametrize(
    "make", [lambda path: path, lambda path: path.parent], ids=["missing", "folder"]
)
def test_what_is_no_file_is_refused_with_the_bundled_names(make, tmp_path):
    path = make(tmp_path / "none.safetensors")
    with pytest.raises(
        FileNotFoundError, match=r"neither a file nor a bundled checkpoint \("
    ) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("given", ["mine", "runs/mine"])
def test_the_name_of_a_run_is_refused_with_the_file_to_name(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "best.safetensors").touch()
    with pytest.raises(FileNotFoundError, match=r"checkpoint is runs/mine/best\.safetensors\."):
        load_checkpoint(given)


@pytest.mark.parametrize("kept", [0.0, 1e-3, 0.05, 0.5, 0.99, -1])
def test_a_truncated_file_is_refused(kept, saved):
    content = saved.read_bytes()
    saved.write_bytes(content[: kept if kept < 0 else int(kept * len(content))])
    assert "truncated" in refusal(saved)


@pytest.mark.parametrize(
    "content", [b"weights\n" * 100, b"{}", bytes(1000), b"\xff" * 1000, b"PK\x03\x04" * 50]
)
def test_a_file_of_another_kind_is_refused(content, saved):
    saved.write_bytes(content)
    assert "not a readable .safetensors file" in refusal(saved)


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "dump", [lambda o, path: path.write_bytes(pickle.dumps(o)), torch.save], ids=["pickle", "torch"]
)
def test_nothing_is_unpickled(dump, saved, tmp_path):
    dump(Trap(tmp_path / "sprung"), saved)
    assert "not a readable .safetensors file" in refusal(saved)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_a_file_of_another_program_is_refused(metadata, saved):
    save_file({"weight": torch.zeros(3)}, saved, metadata)
    assert f"expected {FORMAT!r}" in refusal(saved)


@pytest.mark.parametrize(
    "header",
    [
        [],
        [FORMAT],
        3,
        None,
        FORMAT,
        {},
        {"format": None},
        {"format": "srnn_lab/2"},
        {"format": [FORMAT]},
    ],
)
def test_a_header_of_another_type_or_format_is_refused(header, saved):
    rewrite(saved, make_text=lambda _: json.dumps(header))
    assert f"expected {FORMAT!r}" in refusal(saved)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 5000])
def test_a_header_that_is_no_json_is_refused(text, saved):
    rewrite(saved, make_text=lambda _: text)
    assert "not a readable" in refusal(saved)


def _drop(name):
    return lambda header, tensors: tensors.pop(name)


def _put(name, value):
    return lambda header, tensors: tensors.update({name: value})


def _configure(section, key, value):
    return lambda header, tensors: header["config"][section].update({key: value})


def _header(key, value):
    return lambda header, tensors: header.update({key: value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda header, tensors: header.pop("config"), "The configuration is None"),
        (_header("config", None), "The configuration is None"),
        (_header("config", [1]), "The configuration is [1]"),
        (_header("config", {"model": 3}), "ModelConfig of the configuration is 3"),
        (_configure("model", "d_dims", 3), "ModelConfig has no key 'd_dims'"),
        (
            _configure("model", "d_dim", "6"),
            "ModelConfig.d_dim is '6'; expected a value of type int",
        ),
        (_configure("model", "d_dim", 7), "has shape"),
        (_configure("model", "model", "gan"), "ModelConfig.model is 'gan'; choose one of srnn"),
        (_configure("model", "model", "rnn"), "no part of the model"),
        (
            _configure("model", "likelihood", "tarot"),
            "ModelConfig.likelihood is 'tarot'; choose one of bernoulli",
        ),
        (
            _drop("model.gru_d.weight_hh_l0"),
            "'gru_d.weight_hh_l0' has shape none (missing), expected (18, 6)",
        ),
        (
            _put("model.gru_d.weight_hh_l0", torch.zeros(6, 18)),
            "has shape (6, 18), expected (18, 6)",
        ),
        (
            _put("model.more", torch.zeros(3)),
            "'more' has shape (3,), expected none (no part of the model)",
        ),
        (_drop("normalisation.mean"), "normalisation.mean is missing"),
        (_drop("normalisation.std"), "normalisation.std is missing"),
        (_put("normalisation.mean", torch.zeros(3)), "of shape (3,); expected one number"),
        (
            _put("normalisation.mean", torch.tensor(float("nan"))),
            "mean holds a value that is not a finite number",
        ),
        (
            _put("normalisation.mean", torch.zeros(88).to(torch.float8_e4m3fn)),
            "is of type torch.float8_e4m3fn",
        ),
        (_put("normalisation.std", torch.tensor(0.0)), "not above 0"),
        (
            _put("normalisation.std", torch.tensor(1 + 1j)),
            "is of type torch.complex64; expected floating-point",
        ),
        (
            _put("model.gru_d.bias_hh_l0", torch.zeros(18, dtype=torch.int64)),
            "bias_hh_l0 is of type torch.int64",
        ),
        (
            _put("model.gru_d.bias_hh_l0", torch.full((18,), float("nan"))),
            "holds a value that is not a finite number",
        ),
        (_configure("data", "sample_rate", 10**9), "DataConfig.sample_rate is 1000000000"),
        (_configure("data", "window_length", 10**12), "DataConfig.window_length is 1000000000000"),
        (_header("scores", [1]), "its scores are [1]"),
        (_header("scores", None), "its scores are None"),
        (_header("scores", {"test": [1]}), "its scores are {'test': [1]}"),
        (_header("scores", {"test": 5}), "its scores are {'test': 5}"),
        (_header("scores", {"test": {"kl": 5}}), "its scores are {'test': {'kl': 5}}"),
        (_header("scores", {"epoch": {}}), "its scores are {'epoch': {}}"),
        (_header("scores", {"test": {"elbo": None}}), "its scores are {'test': {'elbo': None}}"),
    ],
)
def test_parts_that_are_missing_or_do_not_fit_are_named(change, said, saved):
    rewrite(saved, change)
    assert said in refusal(saved)


def memory_of_refusal(path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal(path)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("d_dim", 20_000),
        ("hidden_dim", 10**6),
        ("z_dim", 10**12),
        ("d_dim", 10**30),
        ("num_layers", 10**9),
        ("emission_layers", 10**9),
    ],
)
def test_a_model_too_large_for_its_file_is_refused_before_memory_is_taken(key, value, saved):
    rewrite(saved, _configure("model", key, value))
    with CONTEXT.Pool(1) as pool:  # a new process, since the most that one ever held never falls
        # KiB; bytes on macOS, also met.
        assert pool.apply_async(memory_of_refusal, [saved]).get(PATIENCE) < 200_000


@pytest.mark.parametrize("half", [False, True])
def test_a_flipped_bit_anywhere_is_found(half, tmp_path):
    """In the header's lengths, names and numbers, in its padding, and in each tensor."""
    path = tmp_path / "model.safetensors"
    extra = {"adam.0.step": torch.tensor(3.0), "data": torch.arange(32, dtype=torch.uint8)}
    save_checkpoint(untrained(music_run(), scores=SCORES, extra=extra), path, half=half)
    content, header = path.read_bytes(), 8 + int.from_bytes(path.read_bytes()[:8], "little")
    draws = np.random.default_rng(0)
    for place in [
        *range(8),
        *draws.integers(8, header, 150),
        *draws.integers(header, len(content), 50),
        -1,
    ]:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(draws.integers(8))
        path.write_bytes(flipped)
        refusal(path)
    path.write_bytes(content)
    load_checkpoint(path)


def use_after_truncation(path):
    found = load_checkpoint(path)
    path.write_bytes(b"")
    values = [
        found.frontend.mean.sum(),
        found.frontend.std.sum(),
        *(value.sum() for value in found.extra.values()),
    ]
    return [
        float(value) for value in [*values, *(weight.sum() for weight in found.model.parameters())]
    ]


def test_what_is_loaded_outlives_its_file(tmp_path):
    """A bus error ends a process that reads a mapped file which is overwritten in place."""
    path = tmp_path / "model.safetensors"
    save_checkpoint(
        untrained(speech_run(features="log-mel"), extra={"adam": torch.ones(10**6)}), path
    )
    with CONTEXT.Pool(1) as pool:
        assert 10**6 in pool.apply_async(use_after_truncation, [path]).get(PATIENCE)


def test_a_file_of_an_earlier_version_has_no_checksum_and_is_loaded(saved):
    rewrite(saved, lambda header, tensors: header.pop("sha256"))
    assert load_checkpoint(saved).scores == SCORES
    with safe_open(list_checkpoints()["jsb"], "pt") as opened:
        assert "sha256" not in json.loads(opened.metadata()["srnn_lab"])
    load_checkpoint("jsb")


def test_a_checksum_that_is_wrong_is_a_sentence(saved):
    rewrite(saved, _header("scores", {"epoch": 4}))
    assert (
        "was damaged or changed after it was written: its checksum is not that of its content"
        in refusal(saved)
    )


def test_a_checkpoint_is_written_to_the_same_bytes_each_time(tmp_path):
    contents = set()
    for name in "abc":
        save_checkpoint(untrained(music_run(), scores=SCORES), tmp_path / name)
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1


def test_what_a_checkpoint_says_of_itself_is_read_without_its_weights(saved):
    whole = load_checkpoint(saved)
    assert read_header(saved) == (whole.config, whole.scores)
    assert read_config("jsb") == load_checkpoint("jsb").config
    rewrite(saved, _drop("model.gru_d.weight_hh_l0"))
    assert read_config(saved) == whole.config
    saved.write_bytes(saved.read_bytes()[:100])
    with pytest.raises(ValueError, match="truncated"):
        read_config(saved)
    with pytest.raises(FileNotFoundError, match="neither a file nor a bundled checkpoint"):
        read_config(saved.parent / "none")


def test_a_file_of_very_many_tensors_is_refused(saved, monkeypatch):
    monkeypatch.setattr("srnn_lab.checkpoint.MAX_TENSORS", 3)
    assert "at most 3 are read" in refusal(saved)


def test_a_tensor_of_very_many_dimensions_is_refused(saved):
    save_file({"x": torch.zeros([1] * 70)}, saved)
    assert "a tensor of more than 8 dimensions" in refusal(saved)


def test_a_full_disk_leaves_the_old_file_and_no_other(saved):
    content = saved.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match="could not be written") as caught:
            save_checkpoint(untrained(music_run(), seed=1), saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(saved) in str(caught.value)
    assert "what was there before is unchanged" in str(caught.value)
    assert saved.read_bytes() == content
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_not_written(value, saved):
    content, broken = saved.read_bytes(), untrained(music_run())
    broken.model.gru_d.bias_hh_l0.data[2] = value
    with pytest.raises(
        FloatingPointError,
        match=r"model\.gru_d\.bias_hh_l0 holds a value that is not a finite number",
    ):
        save_checkpoint(broken, saved)
    assert saved.read_bytes() == content
    assert list(saved.parent.iterdir()) == [saved]


def test_an_interrupted_write_leaves_the_old_file_and_no_other(saved, monkeypatch):
    content = saved.read_bytes()

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(saved, b"new")
    assert saved.read_bytes() == content
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("path", ["file/model.safetensors", "folder"])
def test_a_place_that_cannot_be_written_to_is_named(path, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="could not be written") as caught:
        write_atomically(tmp_path / path, b"new")
    assert str(tmp_path / path) in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_frames_per_quarter_of_the_tiny_songs_is_that_of_the_tiny_run():
    assert music_run().data.frames_per_quarter == FRAMES_PER_QUARTER
