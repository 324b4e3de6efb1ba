"""The difference of two checkpoints on the same sequences, against their figures one by one."""

import numpy as np
import pytest

from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.data import load_split
from srnn_lab.inference.evaluation import evaluate
from srnn_lab.reports.paired import difference


@pytest.mark.slow
def test_the_difference_is_that_of_each_sequence_and_so_is_its_error():
    score, above = difference("voice-mel-filt-res", "voice-mel")
    checkpoints, found = [load_checkpoint(name) for name in ("voice-mel-filt-res", "voice-mel")], []
    for clip in load_split(checkpoints[1].config.data, "test").values():
        for checkpoint in checkpoints:
            sequences = checkpoint.frontend.sequences([clip], checkpoint.config.model.x_dim)
            found.append(evaluate(checkpoint.model, sequences, checkpoint.config.evaluation))
    # Nats per frame.
    gains = np.array([a.elbo - b.elbo for a, b in zip(found[::2], found[1::2], strict=True)])
    frames = np.array([score.frames for score in found[::2]])
    mean = np.average(gains, weights=frames)
    assert score.elbo == pytest.approx(mean)
    spread = ((gains - mean) * frames).std(ddof=1)
    assert score.others["elbo_se"] == pytest.approx(spread * len(frames) ** 0.5 / frames.sum())
    assert (above, score.sequences, score.average) == ((gains > 0).sum(), 27, "micro")


def test_checkpoints_of_other_frames_are_not_compared():
    with pytest.raises(
        ValueError, match="voice-mel and voice differ in their data, frames or convention"
    ):
        difference("voice-mel", "voice")
