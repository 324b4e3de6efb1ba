"""What a training frees is not given back to the system and cleared anew."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import ctypes, resource, sys, torch
from srnn_lab.reports.benchmark import bound_loss, training_step
from srnn_lab.config import ModelConfig
from srnn_lab.data import make_batch
from srnn_lab.system.memory import keep_freed_memory
from srnn_lab.models import build_model

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: a huge page is one fault, not 512
torch.set_num_threads(1)
model = build_model(ModelConfig(d_dim=300, z_dim=8, hidden_dim=32))
batch = make_batch([torch.zeros(161, 88).numpy()] * 64, first_frame=False)  # the gates of d: 37 MB
step = training_step(model, lambda: bound_loss(model, batch, False))

def faults():
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = faults()
keep_freed_memory()
faults()
print(before, faults())
"""


@pytest.mark.slow
def test_a_training_step_takes_the_memory_that_the_one_before_it_freed():
    """Without it, each page of a large block is a page fault where memory is given back."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    print(f"{before = }, {after = }")
    if platform.libc_ver()[0] == "glibc":
        assert before > 10_000
        assert after < before / 4
    else:
        assert after <= 2 * before
