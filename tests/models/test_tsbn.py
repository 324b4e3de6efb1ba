"""The temporal sigmoid belief network against sums over all 64 paths of two units, three frames."""

import itertools
from dataclasses import replace

import pytest
import torch
from tiny import midi_folder, music_run
from torch import sigmoid

from srnn_lab.config import DataConfig, ModelConfig
from srnn_lab.data import Batch
from srnn_lab.inference.bounds import elbo, iwae
from srnn_lab.inference.score_function import score_function
from srnn_lab.models import TSBN
from srnn_lab.training.fitting import fit

SURE = 9.0
"""Noise that makes a unit 1, or 0 if negative, whatever its probability here."""


def case(num_frames=3):
    """A model, one sequence as often as it has paths, and those paths as noise."""
    torch.manual_seed(0)
    model = TSBN(ModelConfig(x_dim=3, z_dim=2, hidden_dim=4)).double()
    for parameter in model.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    paths = torch.tensor(
        [*itertools.product([0.0, 1.0], repeat=2 * num_frames)], dtype=torch.float64
    )
    z = paths.view(-1, num_frames, 2)
    x = torch.rand(1, num_frames, 3, dtype=torch.float64).round().expand(len(z), -1, -1)
    u = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)
    return model, Batch(x, u, torch.full((len(z),), num_frames)), z, SURE * (2 * z - 1)


def by_hand(model, batch, z):
    """log p(z_t | z_{t-1}, u_t), log p(x_t | z_t, u_t) and log q(z_t | z_{t-1}, x_t, u_t).

    They are computed by the equations.
    """

    def log_prob(p, values):
        return (values * p.log() + (1 - values) * (1 - p).log()).sum(-1)

    first = torch.tensor([[1.0, 0], [0, 1], [0, 1]], dtype=torch.float64)[: z.shape[1]].expand(
        len(z), -1, -1
    )
    d = torch.cat([batch.u, first], -1)
    z_tm1 = torch.cat([torch.zeros_like(z[:, :1]), z[:, :-1]], 1)
    p = sigmoid(z_tm1 @ model.prior_z.weight.T + d @ model.prior_d.weight.T)
    of_z, of_x = z_tm1 @ model.posterior_z.weight.T, batch.x @ model.posterior_x.weight.T
    q = sigmoid(of_z + of_x + d @ model.posterior_d.weight.T)
    of_d, of_z = model.emission[0].weight.split([5, 2], -1)
    x = sigmoid(z @ of_z.T + d @ of_d.T + model.emission[0].bias)
    return log_prob(p, z), log_prob(x, batch.x), log_prob(q, z)


def test_every_path_can_be_drawn_and_is_what_the_equations_say():
    model, batch, z, noise = case()
    bound = elbo(model, batch, noise=noise)
    torch.testing.assert_close(bound.trace.z, z)
    log_p, log_px, log_q = by_hand(model, batch, z)
    torch.testing.assert_close(bound.trace.prior.log_prob(z), log_p)
    torch.testing.assert_close(bound.trace.posterior.log_prob(z), log_q)
    torch.testing.assert_close(bound.log_px, log_px)
    assert log_q.sum(1).exp().sum().item() == pytest.approx(1)


def test_the_path_is_that_of_the_steps():
    model, batch, _, noise = case()
    state = model.initial_state(len(noise))
    context = model.encode(batch.u, batch.x, batch.lengths, state)
    noise = torch.randn(noise.shape, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(
        model.path(context, state, noise), super(TSBN, model).path(context, state, noise)
    )


def test_the_bound_and_the_kl_to_the_true_posterior_add_up_to_the_evidence():
    model, batch, z, noise = case()
    bound = elbo(model, batch, noise=noise)
    log_p, log_px, log_q = (values.sum(1) for values in by_hand(model, batch, z))
    evidence = (log_p + log_px).logsumexp(0)
    q = log_q.exp()
    expected_bound = (q * bound.elbo.sum(1)).sum()
    kl_to_truth = (q * (log_q - (log_p + log_px - evidence))).sum()
    assert kl_to_truth > 0.1
    torch.testing.assert_close(expected_bound + kl_to_truth, evidence)
    # The KL in closed form is that of the samples in the mean.
    torch.testing.assert_close((q * bound.kl.sum(1)).sum(), (q * (log_q - log_p)).sum())
    weights = iwae(model, Batch(batch.x[:1], batch.u[:1], batch.lengths[:1]), noise).log_weights[
        :, 0
    ]
    torch.testing.assert_close((log_q + weights).logsumexp(0), evidence)


def recognition(model):
    return [
        parameter for name, parameter in model.named_parameters() if name.startswith("posterior")
    ]


@pytest.mark.parametrize("reductions", [True, False])
def test_the_score_function_gradient_is_in_the_mean_that_of_the_enumerated_bound(reductions):
    """Of each frame's term by its z_t, given the z_{t-1} that come; later frames are left out."""
    model, batch, z, noise = case()
    if not reductions:
        for parameter in model.baseline.parameters():
            parameter.data.zero_()
    log_p, log_px, log_q = by_hand(model, batch, z)
    whole = log_q.cumsum(1).exp()  # q(z_{1:t})
    now = whole.detach() / log_q.exp().detach() * log_q.exp()  # with a gradient at t alone
    share = torch.tensor([4.0**-2, 4.0**-1, 1.0])  # paths that agree up to t
    expected = torch.autograd.grad(
        (share * now * (log_p + log_px - log_q)).sum(), recognition(model)
    )
    bound = elbo(model, batch, noise=noise)
    chance = log_q.sum(1).exp().detach()
    sampled = -chance[:, None] * bound.elbo
    found = torch.autograd.grad(
        sampled.sum() + weighted_score(model, batch, bound, chance), recognition(model)
    )
    for one, other in zip(found, expected, strict=True):
        assert other.abs().max() > 1e-3
        torch.testing.assert_close(-one, other)


def weighted_score(model, batch, bound, chance):
    """``score_function`` of each path by itself, times its probability."""
    total = 0
    for i, p in enumerate(chance):
        row = slice(i, i + 1)
        trace = bound.trace._replace(
            z=bound.trace.z[row],
            posterior=type(bound.trace.posterior)(bound.trace.posterior.logits[row]),
        )
        one = type(bound)(bound.log_px[row], bound.kl[row], bound.lengths[row], trace)
        model.eval()
        total = total + p * score_function(
            model, Batch(batch.x[row], batch.u[row], batch.lengths[row]), one
        )
    return total


def test_with_one_frame_it_is_the_gradient_of_the_bound():
    model, batch, z, noise = case(1)
    log_p, log_px, log_q = (values.sum(1) for values in by_hand(model, batch, z))
    value = (log_q.exp() * (log_p + log_px - log_q)).sum()
    expected = torch.autograd.grad(value, recognition(model), allow_unused=True)
    bound = elbo(model, batch, noise=noise)
    chance = log_q.exp().detach()
    loss = weighted_score(model, batch, bound, chance) - (chance[:, None] * bound.elbo).sum()
    found = torch.autograd.grad(loss, recognition(model), allow_unused=True)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(-one, other)


def test_the_generative_model_gets_the_gradient_of_the_enumerated_bound():
    model, batch, z, noise = case()
    generative = [
        p for name, p in model.named_parameters() if not name.startswith(("posterior", "baseline"))
    ]
    log_p, log_px, log_q = (values.sum(1) for values in by_hand(model, batch, z))
    expected = torch.autograd.grad((log_q.detach().exp() * (log_p + log_px)).sum(), generative)
    bound = elbo(model, batch, noise=noise)
    found = torch.autograd.grad((log_q.detach().exp()[:, None] * bound.elbo).sum(), generative)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_what_has_no_meaning_for_it_is_refused(tmp_path):
    with pytest.raises(ValueError, match="centred_inputs is True; 'tsbn' has no feature extractor"):
        TSBN(ModelConfig(centred_inputs=True))
    config = music_run(objective="fivo")
    config = replace(
        config,
        model=replace(config.model, model="tsbn"),
        data=DataConfig(data=str(midi_folder(tmp_path / "midi"))),
    )
    with pytest.raises(
        ValueError, match="objective is 'fivo', whose gradient passes through the draws"
    ):
        fit(config, tmp_path / "run")


def test_a_training_that_was_stopped_continues_bit_for_bit_with_its_baseline(tmp_path):
    config = music_run(epochs=2, whole_sequences=True, precision="fp32")
    config = replace(
        config,
        model=replace(config.model, model="tsbn"),
        data=DataConfig(data=str(midi_folder(tmp_path / "midi"))),
    )
    whole = fit(config, tmp_path / "whole").best.model
    fit(replace(config, train=replace(config.train, epochs=1)), tmp_path / "parts")
    again = fit(config, tmp_path / "parts", resume=True).best.model
    assert float(whole.baseline.mean) != 0
    torch.testing.assert_close(again.state_dict(), whole.state_dict(), rtol=0, atol=0)
