import numpy as np
import pytest
import torch
from linear_gaussian import LinearGaussian, log_evidence

from srnn_lab.bounds import draw_noise, elbo, evaluate, reduce
from srnn_lab.config import CONVENTIONS, EvaluationConfig, ModelConfig
from srnn_lab.data import make_batch
from srnn_lab.models import build_model

SEQUENCE = np.random.default_rng(0).normal(size=(12, 2))


def linear_gaussian_bound(exact, copies):
    batch = make_batch([SEQUENCE] * copies)
    model = LinearGaussian(exact)
    return elbo(model, batch, noise=draw_noise(model, batch, torch.Generator().manual_seed(0)))


def test_at_the_exact_posterior_every_path_gives_the_evidence():
    """log p(x, z) - log q(z | x) = log p(x) for any z."""
    bound = linear_gaussian_bound(exact=True, copies=20)
    trace = bound.trace
    ratio = (bound.log_px + trace.prior.log_prob(trace.z) - trace.posterior.log_prob(trace.z)).sum(1)
    np.testing.assert_allclose(ratio, log_evidence(SEQUENCE), atol=1e-8)


def test_the_elbo_at_the_exact_posterior_is_the_evidence_on_average():
    values = linear_gaussian_bound(exact=True, copies=20_000).elbo.sum(1)
    assert abs(float(values.mean()) - log_evidence(SEQUENCE)) < 6 * float(values.std()) / 20_000**0.5


def test_the_elbo_elsewhere_is_below_the_evidence():
    values = linear_gaussian_bound(exact=False, copies=20_000).elbo.sum(1)
    assert float(values.mean()) < log_evidence(SEQUENCE) - 6 * float(values.std()) / 20_000**0.5


@pytest.mark.parametrize(
    ("average", "expected"),
    [("micro", (6 + 4) / (3 + 1)), ("macro", (6 / 3 + 4 / 1) / 2), ("sequence", (6 + 4) / 2)],
)
def test_averages_by_hand(average, expected):
    config = EvaluationConfig(average=average, first_frame=True)
    score = reduce(torch.tensor([7.0, 6.0]), torch.tensor([1.0, 2.0]), torch.tensor([3, 1]), config)
    assert (score.elbo, score.frames, score.sequences) == (pytest.approx(expected), 4, 2)
    assert score.elbo == pytest.approx(score.log_px - score.kl)


def test_conventions_are_those_of_the_literature():
    assert CONVENTIONS["srnn-music"] == EvaluationConfig(average="macro", first_frame=False)
    assert CONVENTIONS["srnn-speech"] == EvaluationConfig(average="sequence", first_frame=False)
    assert CONVENTIONS["field-music"] == EvaluationConfig(average="micro", first_frame=True)


@pytest.mark.parametrize("first_frame", [True, False])
def test_evaluation_is_the_sum_over_whole_sequences_from_zero_states(first_frame):
    """An RNN has no noise, so the figure can be had from single sequences."""
    torch.manual_seed(0)
    model = build_model(ModelConfig(model="rnn", x_dim=3, d_dim=4, hidden_dim=5))
    sequences = [np.random.default_rng(i).integers(0, 2, (n, 3)).astype(np.float32) for i, n in enumerate([4, 9, 2, 6])]
    config = EvaluationConfig(average="micro", first_frame=first_frame)
    score = evaluate(model, sequences, config, batch_size=2)
    singles = [elbo(model, make_batch([s], first_frame)).elbo.sum().item() for s in sequences]
    frames = sum(map(len, sequences)) - (0 if first_frame else 4)
    assert score.frames == frames
    assert score.elbo == pytest.approx(sum(singles) / frames, rel=1e-5)
    assert score.kl == 0


def test_processes_share_the_batches_and_the_figure_does_not_depend_on_their_number(monkeypatch):
    torch.manual_seed(0)
    model = build_model(ModelConfig(x_dim=3, d_dim=4, z_dim=2, hidden_dim=5))
    lengths = [4, 9, 2, 6, 3, 7, 5]
    sequences = [np.random.default_rng(i).integers(0, 2, (n, 3)).astype(np.float32) for i, n in enumerate(lengths)]

    def score(**ranks):
        return evaluate(model, sequences, EvaluationConfig(average="macro"), batch_size=2, seed=1, **ranks)

    parts = [[], [], []]
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda total, kept=parts[rank]: kept.append(total.clone()))
        score(rank=rank, world_size=3)
    by_length = [2, 4, 0, 6, 3, 5, 1]
    owned = [{*by_length[0:2], *by_length[6:7]}, set(by_length[2:4]), set(by_length[4:6])]
    for (whole,), own in zip(parts, owned, strict=True):
        assert set(whole.all(0).nonzero().flatten().tolist()) == set(whole.any(0).nonzero().flatten().tolist()) == own
    for rank in range(3):
        others = zip(*(parts[other] for other in range(3) if other != rank), strict=True)
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda total, left=others: total.add_(sum(next(left))))
        assert score(rank=rank, world_size=3) == score()


def test_the_same_seed_gives_the_same_figure():
    torch.manual_seed(0)
    model = build_model(ModelConfig(x_dim=3, d_dim=4, z_dim=2, hidden_dim=5))
    sequences = [np.random.default_rng(i).integers(0, 2, (6, 3)).astype(np.float32) for i in range(3)]
    figures = [evaluate(model, sequences, EvaluationConfig(), seed=seed).elbo for seed in (4, 4, 5)]
    assert figures[0] == figures[1] != figures[2]
