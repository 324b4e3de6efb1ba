import csv
import os
import re
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
import torch
import torch.distributed as dist
from processes import PATIENCE, epochs_done, finish, position, start, start_ranks, wait_for
from tiny import SIZES, midi_folder

from srnn_lab.system import distributed

UNEVEN = {"epochs": 3, "batch_size": 3, "segment_length": 8}
"""Six updates an epoch; the two processes have one row and two."""


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The line that begins or continues a run, given its folder."""
    songs = midi_folder(tmp_path_factory.mktemp("data") / "songs", num_files=24)

    def line(out, **train):
        values = (
            SIZES
            | {"learning_rate": 0.01, "kl_weight_updates": 10, "precision": "fp32"}
            | UNEVEN
            | train
        )
        flags = {f"--{name.replace('_', '-')}": value for name, value in values.items()}
        options = [name if value is True else f"{name}={value}" for name, value in flags.items()]
        return ["train", "jsb", f"--data={songs}", f"--resume={out}", *options]

    return line


@pytest.fixture(scope="module")
def alone(line, tmp_path_factory):
    """The curves of one process."""
    out = tmp_path_factory.mktemp("alone")
    assert finish(start(line(out), out / "log")) == [0], (out / "log").read_text()
    return curves(out)


def curves(out):
    with (out / "curves.csv").open(newline="") as file:
        return [float(value) for row in csv.DictReader(file) for value in row.values()]


@pytest.mark.parametrize(("num_rows", "world_size"), [(4, 1), (4, 2), (5, 2), (3, 3), (16, 5)])
def test_the_processes_share_every_row_nearly_evenly(num_rows, world_size, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("WORLD_SIZE", str(world_size))
    shares = []
    for rank in range(world_size):
        monkeypatch.setenv("RANK", str(rank))
        shares.append(distributed.share(num_rows))
    assert (shares[0].start, shares[-1].stop) == (0, num_rows)
    assert all(before.stop == after.start for before, after in pairwise(shares))
    assert {share.stop - share.start for share in shares} <= {
        num_rows // world_size,
        num_rows // world_size + 1,
    }


@pytest.mark.slow
def test_two_processes_with_two_rows_each_give_the_curves_of_one(line, tmp_path):
    one = start(line(tmp_path / "one", batch_size=4), tmp_path / "log")
    ranks = start_ranks(line(tmp_path / "two", batch_size=4), tmp_path)
    assert finish(one, *ranks) == [0, 0, 0], (tmp_path / "log-0").read_text()
    assert curves(tmp_path / "two") == pytest.approx(curves(tmp_path / "one"), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"objective": "iwae"}, {"objective": "fivo", "whole_sequences": True}]
)
def test_two_processes_draw_the_paths_and_the_ancestors_of_one(options, line, tmp_path):
    one = start(line(tmp_path / "one", **options), tmp_path / "log")
    ranks = start_ranks(line(tmp_path / "two", **options), tmp_path)
    assert finish(one, *ranks) == [0, 0, 0], (tmp_path / "log-0").read_text()
    assert curves(tmp_path / "two") == pytest.approx(curves(tmp_path / "one"), rel=1e-5)


@pytest.mark.slow
def test_two_processes_with_one_row_and_two_give_the_curves_of_one(line, alone, tmp_path):
    """And only the first of them writes and prints."""
    assert finish(*start_ranks(line(tmp_path / "run"), tmp_path)) == [0, 0], (
        tmp_path / "log-0"
    ).read_text()
    assert curves(tmp_path / "run") == pytest.approx(alone, rel=1e-5)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "best.safetensors",
        "curves.csv",
        "last.safetensors",
        "train.pid",
    ]
    first, second = ((tmp_path / f"log-{rank}").read_text() for rank in (0, 1))
    assert "processes 2" in first
    assert second == ""


@pytest.mark.slow
def test_processes_stop_at_the_same_update_and_one_alone_continues(line, alone, tmp_path):
    """The signal comes to one process; the states of both are in the file."""
    out = tmp_path / "run"
    ranks = start_ranks(line(out, epochs=5000), tmp_path)
    wait_for(lambda: epochs_done(out) or ranks[0].exitcode is not None)
    os.kill(ranks[1].pid, signal.SIGINT)
    assert finish(*ranks) == [143, 130], (tmp_path / "log-0").read_text()
    epochs, update = position(out)
    assert update > 0
    said = (tmp_path / "log-0").read_text().splitlines()[-1]
    assert "continue with: torchrun --nproc-per-node=2 -m srnn_lab train --resume" in said
    assert (tmp_path / "log-1").read_text() == ""

    longer = [f"--resume={out}", f"--epochs={max(epochs + 1, UNEVEN['epochs'])}"]
    assert finish(start(["train", *longer], tmp_path / "log")) == [0], (
        tmp_path / "log"
    ).read_text()
    assert curves(out)[: len(alone)] == pytest.approx(alone, rel=1e-5)


@pytest.mark.slow
def test_the_death_of_one_process_ends_the_job_and_it_can_be_resumed(line, alone, tmp_path):
    """Under torchrun itself, which writes what ends a process to its own standard error."""
    out, script = tmp_path / "run", tmp_path / "script.py"
    script.write_text(
        "import os, pathlib, sys\nimport time\nimport torch.distributed as dist\nfrom srnn_lab "
        "import cli\nfrom srnn_lab.training import state\nstate.WRITE_EVERY = 0\nold = "
        "dist.destroy_process_group\ndist.destroy_process_group = lambda: (time.sleep(2), old())  "
        "# in which torchrun's SIGTERM comes\npathlib.Path(sys.argv[1], 'pid-' + "
        "os.environ['RANK']).write_text(str(os.getpid()))\nsys.exit(cli.main(sys.argv[2:]))\n"
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    with (tmp_path / "log").open("w") as log:
        job = subprocess.Popen(
            [*torchrun, str(script), str(tmp_path), *line(out, epochs=5000)], stdout=log, stderr=log
        )
        wait_for(lambda: job.poll() is not None or position(out) >= (1, 2))
        os.kill(int((tmp_path / "pid-1").read_text()), signal.SIGKILL)
        assert job.wait(PATIENCE) != 0
    said = [text for text in (tmp_path / "log").read_text().splitlines() if "srnn-lab:" in text]
    assert len(said) == 1, said
    assert re.search(
        "srnn-lab: Process 0 of 2 cannot go on .* Start the job again with --resume", said[0]
    )

    longer = line(out, epochs=max(position(out)[0] + 1, UNEVEN["epochs"]))
    assert finish(*start_ranks(longer, tmp_path)) == [0, 0], (tmp_path / "log-0").read_text()
    assert curves(out)[: len(alone)] == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), RuntimeError),
        (torch.OutOfMemoryError("CUDA out of memory."), torch.OutOfMemoryError),
        (dist.DistBackendError("NCCL communicator was aborted"), ConnectionError),
        (
            RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer"),
            ConnectionError,
        ),
    ],
)
def test_only_errors_between_the_processes_ask_for_another_start(error, expected, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    init = dist.init_process_group
    monkeypatch.setattr(
        dist,
        "init_process_group",
        lambda kind, **_: init(kind, store=dist.HashStore(), rank=0, world_size=1),
    )
    with pytest.raises(expected) as found, distributed.process_group("cpu"):
        assert dist.is_initialized()
        raise error
    assert type(found.value) is expected
    assert not dist.is_initialized()


def test_processes_do_not_share_one_gpu(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        ValueError,
        match="--device is cuda:0; give cuda, so that each process takes a GPU of its own",
    ):
        distributed.usable_device("cuda:0")


def test_processes_do_not_share_work_on_a_device_that_cannot(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    said = "--device is mps; several processes train on cpu or cuda"
    with pytest.raises(ValueError, match=said), distributed.process_group("mps"):
        pass


def test_a_job_on_several_machines_is_said_to_continue_on_as_many(monkeypatch):
    assert distributed.launcher() == ["srnn-lab"]
    sizes = {
        "TORCHELASTIC_RUN_ID": "x",
        "WORLD_SIZE": "8",
        "LOCAL_WORLD_SIZE": "4",
        "GROUP_WORLD_SIZE": "2",
    }
    for name, value in sizes.items():
        monkeypatch.setenv(name, value)
    assert distributed.launcher() == [
        "torchrun",
        "--nnodes=2",
        "--nproc-per-node=4",
        "-m",
        "srnn_lab",
    ]


def test_more_processes_than_rows_are_refused_before_anything_is_read(line, tmp_path):
    ranks = start_ranks(line(tmp_path / "run", batch_size=1, data="nowhere"), tmp_path)
    assert finish(*ranks) == [1, 1]
    said = (tmp_path / "log-0").read_text()
    assert said.startswith("srnn-lab: --batch-size is 1; the 2 processes need a stream each.")
    assert said.count("\n") == 1
