"""Updates recorded once and replayed, as on a GPU: the training is the same as without."""

import signal
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from pretend_gpu import pretend, run_pretending
from processes import finish, position, start_ranks
from test_training import REGULARISED, contents, curves
from tiny import SIZES, midi_folder, music_run
from torch import nn
from waiting import WaitError, without_waiting

from srnn_lab.cli import main
from srnn_lab.config import TrainConfig
from srnn_lab.data.sequences import padded_length
from srnn_lab.models import build_model
from srnn_lab.system.interrupts import Stopped
from srnn_lab.training import fitting, loop
from srnn_lab.training.capture import Captured, ahead
from srnn_lab.training.fitting import fit
from srnn_lab.training.state import Training

FIVO = {"objective": "fivo", "num_particles": 4}
RUNS = {
    "elbo": {"free_bits": 0.1, "epochs": 2},
    "bf16": {"precision": "bf16"},
    "iwae": {"objective": "iwae", "num_particles": 4},
    "fivo": FIVO,
    "multinomial": {**FIVO, "resampling": "multinomial", "whole_sequences": True},
    "regularised": REGULARISED,
    "filtering": {"smoothing": False, "residual": False},
    "vrnn": {"model": "vrnn"},
    "storn": {"model": "storn", "likelihood": "nade", "segment_length": 4},
    "dkf": {"model": "dkf", "gated_transition": True},
    "rnn": {"model": "rnn"},
    "holes": {"missing": True, "stand_in": "mean", "dropout_d": 0.2},
}


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return str(midi_folder(tmp_path_factory.mktemp("data") / "songs"))


@pytest.fixture
def recorded(monkeypatch):
    """Trainings record their updates; a list of what they have recorded them with."""
    pretend(monkeypatch.setattr)
    made = []

    class Counted(Captured):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(loop, "Captured", Counted)
    return made


def config(songs, **options):
    run = music_run(
        songs,
        **{"epochs": 1, "precision": "fp32"}
        | {k: v for k, v in options.items() if hasattr(TrainConfig, k)},
    )
    return replace(
        run, model=replace(run.model, **{k: v for k, v in options.items() if hasattr(run.model, k)})
    )


@pytest.mark.slow
@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
def test_a_training_that_is_recorded_and_replayed_is_the_same_to_the_bit(
    options, songs, recorded, tmp_path
):
    run = config(songs, **options)
    fit(run, tmp_path / "recorded")
    assert sum(len(one.recordings) for one in recorded) >= 1
    assert len(recorded) == 1
    fit(run, tmp_path / "not", eager=True)
    assert len(recorded) == 1
    assert contents(tmp_path / "recorded") == contents(tmp_path / "not")


@pytest.mark.parametrize("name", ["elbo", "iwae", "fivo"])
def test_a_training_as_on_a_gpu_is_that_of_a_cpu(name, songs, recorded, tmp_path, monkeypatch):
    """Sequences are padded further there; without dropout, that changes only a rounding error."""
    run = config(songs, **RUNS[name], whole_sequences=True)
    fit(run, tmp_path / "gpu")
    monkeypatch.undo()
    fit(run, tmp_path / "cpu")
    for gpu, cpu in zip(curves(tmp_path / "gpu"), curves(tmp_path / "cpu"), strict=True):
        assert gpu == pytest.approx(cpu, rel=1e-5)


def test_a_recorded_training_that_is_stopped_and_resumed_is_as_if_it_had_not_been(
    songs, recorded, tmp_path, monkeypatch
):
    run = config(songs, **REGULARISED)
    fit(run, tmp_path / "whole")
    with monkeypatch.context() as impatient, pytest.raises(Stopped):
        impatient.setattr(fitting, "noted_signals", lambda: nullcontext([signal.SIGTERM]))
        fit(run, tmp_path / "stopped")
    assert position(tmp_path / "stopped") == (0, 1)
    fit(run, tmp_path / "stopped", resume=True)
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_two_processes_that_record_give_the_curves_of_one(songs, recorded, tmp_path):
    options = SIZES | {"epochs": 1, "batch_size": 3, "segment_length": 8, "precision": "fp32"}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    line = ["train", "jsb", f"--data={songs}", "--whole-sequences", *flags]
    ranks = start_ranks([*line, f"--out={tmp_path / 'two'}"], tmp_path, run=run_pretending)
    assert finish(*ranks) == [0, 0], (tmp_path / "log-0").read_text()
    assert main([*line, f"--out={tmp_path / 'one'}"]) == 0
    for two, one in zip(curves(tmp_path / "two"), curves(tmp_path / "one"), strict=True):
        assert two == pytest.approx(one, rel=1e-5)


@pytest.mark.parametrize("name", ["elbo", "iwae", "fivo", "multinomial", "regularised", "holes"])
def test_nothing_of_an_update_waits_for_the_device_before_its_result_is_looked_at(
    name, songs, monkeypatch, tmp_path
):
    """On the meta device, prepared on the CPU: only the look at the result fails there."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)
    run = config(songs, **RUNS[name])
    frontend, segments, _, data = fitting.load_frames(run, fitting.Options())
    model = build_model(run.model).train()
    optimizer = torch.optim.AdamW(model.parameters())
    under_way = loop.Loop(Training(run, frontend, model, optimizer, segments, tmp_path, data, None))
    prepared = next(under_way.prepare())
    prepared = prepared._replace(inputs=[values.to("meta") for values in prepared.inputs])
    model.to("meta")
    with without_waiting():
        norm, values = under_way.launch(prepared, False, True)
    assert {tensor.device.type for tensor in (norm, values, *under_way.training.state)} == {"meta"}
    with pytest.raises(WaitError), without_waiting():
        torch.cat([values, norm[None]]).tolist()


def test_sequences_of_many_lengths_are_recorded_in_few_shapes(songs, recorded, tmp_path):
    fit(config(songs, whole_sequences=True, segment_length=20, epochs=4), tmp_path)
    assert len(recorded[0].recordings) <= 4
    for longest in (1, 3, 8, 100, 101):
        lengths = [padded_length(n, longest) for n in range(1, longest + 1)]
        assert len(set(lengths)) <= 4
        assert lengths[-1] == longest
        assert all(n <= length < n + longest / 4 + 1 for n, length in enumerate(lengths, 1))


def test_what_is_recorded_is_not_called_again_and_gets_each_call_s_inputs(monkeypatch):
    """A graph that called its function would hide numbers that a recording keeps."""
    pretend(monkeypatch.setattr)
    layer, factors = nn.Linear(3, 1, bias=False), iter([1.0] * Captured.WARM_UP + [2.0])

    def function(x):
        layer.zero_grad()
        value = (next(factors) * layer(x)).sum()
        value.backward()
        return (value.detach(),)

    captured = Captured(function, layer)
    for x in (torch.ones(4, 3), torch.rand(4, 3), torch.rand(4, 3)):
        assert captured(x)[0].item() == pytest.approx(2 * (x @ layer.weight.T).sum().item())
        torch.testing.assert_close(layer.weight.grad, 2 * x.sum(0, keepdim=True))
    with pytest.raises(StopIteration):  # another shape is another recording
        captured(torch.ones(5, 3))


def test_items_are_made_one_ahead_in_order_and_errors_come_where_they_belong():
    made = []

    def items():
        for i in range(3):
            made.append(i)
            yield i
        raise OSError("gone")

    used = []
    with pytest.raises(OSError, match="gone"):
        for item in ahead(items()):
            used.append(item)
            assert used == made[: len(used)]
            assert len(made) <= len(used) + 1
    assert used == [0, 1, 2]
