"""What an update does on a GPU, tried on the meta device, with no values to look at or wait for."""

from contextlib import nullcontext

import pytest
import torch
from test_model_contract import PATHS, bounded, each_once
from waiting import WaitError, without_waiting

from srnn_lab.data import Batch
from srnn_lab.inference.bounds import elbo, fivo, iwae
from srnn_lab.models import build_model
from srnn_lab.models.networks import features_of

WAITS = {
    "if": lambda v: 1 if (v > 0).any() else 0,
    "item": lambda v: v.sum().item(),
    "equal": lambda v: torch.equal(v, v),
    "mask": lambda v: v[v > 0],
    "assignment by mask": lambda v: v.clone().__setitem__(v > 0, 1.0),
    "nonzero": lambda v: v.nonzero(),
    "tolist": lambda v: v.tolist(),
    "new_tensor": lambda v: v.new_tensor(0.5),
    "tensor": lambda v: torch.tensor(0.5, device=v.device),
    "copy from the host": lambda v: torch.ones(3).to(v.device),
    "copy to the host": lambda v: v.cpu(),
    "copy into": lambda v: v.copy_(torch.ones(3)),
    "index of the host": lambda v: v[torch.zeros(2, dtype=torch.int64)],
    "scalar of the host": lambda v: v * torch.ones(()),
}


@pytest.mark.parametrize("name", WAITS)
def test_what_waits_for_the_device_is_found(name):
    with pytest.raises(WaitError), without_waiting():
        WAITS[name](torch.ones(3, device="meta"))


@pytest.fixture
def meta(monkeypatch):
    """The meta device, which autocast does not know."""
    monkeypatch.setattr(torch, "autocast", lambda kind, **_: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)


@pytest.mark.parametrize("objective", ["elbo", "iwae", "fivo"])
@each_once
def test_no_bound_and_no_gradient_waits_for_the_device(config, objective, meta):
    model, paths = build_model(config).to("meta"), 1 if objective == "elbo" else PATHS
    with torch.device("meta"):
        whole, lengths, noise = (
            torch.ones(2, 3, 4),
            torch.ones(2, dtype=torch.int64),
            torch.ones(2 * paths, 2, model.z_dim),
        )
        weight, uniform, uniforms = torch.ones(()), torch.ones(2), torch.ones(2, 2, 1)
        known = torch.ones(2, 2, config.u_dim)
    u = torch.cat([whole[:, :-1], known], -1) if config.u_dim else whole[:, :-1]
    batch = Batch(whole[:, 1:], u, lengths)
    with without_waiting():
        if objective == "elbo":
            bound = elbo(model, batch, noise=noise)
            value, state = bound.log_px.sum() - weight * bound.kl.sum(), bound.trace.state
        else:
            by, drawn = (iwae, [noise]) if objective == "iwae" else (fivo, [noise, uniforms])
            bound = by(model, batch, *drawn, kl_weight=weight)
            value, state = bound.value.sum(), bound.draw_state(uniform)
        value.backward()
    assert {values.device.type for values in (value, *state)} == {"meta"}
    assert {parameter.grad.device.type for _, parameter in bounded(model)} == {"meta"}


def test_features_are_shared_by_views_of_one_tensor_without_a_look_and_by_equal_values(monkeypatch):
    whole, looks, equal = torch.rand(2, 6, 3), [], torch.equal
    monkeypatch.setattr(torch, "equal", lambda *values: looks.append(1) or equal(*values))
    network = torch.nn.Linear(3, 4)
    expected = network(whole)[:, :-1], network(whole)[:, 1:]
    views, copies = (whole[:, :-1], whole[:, 1:]), (whole[:, :-1].clone(), whole[:, 1:].clone())
    for (u, x), count in ((views, 0), (copies, 1), ((whole[:, 1:], whole[:, 1:]), 2)):
        found = features_of(network, u, x)
        assert len(looks) == count
        torch.testing.assert_close(found, expected if count < 2 else (network(u), network(x)))
