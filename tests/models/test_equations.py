"""Every equation of the paper, in plain tensors and held against the library (float64)."""

import itertools
import math

import pytest
import torch
from torch import sigmoid, tanh

from srnn_lab.config import ModelConfig
from srnn_lab.data import Batch
from srnn_lab.inference.bounds import elbo
from srnn_lab.models import DKF, RNN, SRNN, STORN, VRAE, VRNN, VRNNI, State

FLOOR = 1e-2
KNOWN = [{}, {"u_dim": 2}, {"u_dim": 2, "feedback": False}, {"feedback": False}]
"""u_t is x_{t-1}, that and two known inputs, these alone, or nothing."""
VARIANTS = list(itertools.product([True, False], [True, False], [1, 2], ["bernoulli", "gaussian"]))


def case(kind=SRNN, likelihood="gaussian", **options):
    torch.manual_seed(0)
    config = ModelConfig(
        likelihood=likelihood, x_dim=4, d_dim=5, z_dim=3, hidden_dim=6, variance_floor=FLOOR,
        **options,
    )  # fmt: skip
    model = kind(config).double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)  # biases that are not zero
    u, x = torch.randn(2, 2, 7, 4, dtype=torch.float64)
    u = torch.cat([u, torch.randn(2, 7, config.u_dim, dtype=torch.float64)], -1)
    x = (x > 0).double() if likelihood == "bernoulli" else x
    state = State(
        torch.randn(2, model.d_dim, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    )
    return (
        model,
        Batch(x, u, torch.tensor([7, 7])),
        state,
        torch.randn(2, 7, 3, dtype=torch.float64),
    )


def f(v):
    """Appendix A.1: leaky rectifier, slope 1/3, clipped at 3."""
    return torch.where(v > 0, v, v / 3).clamp(-3, 3)


def affine(layer, v):
    return v @ layer.weight.T + layer.bias


def network(layers, v):
    """Hidden layers with f, then a linear one if there is one."""
    for layer in layers:
        v = affine(layer, v) if isinstance(layer, torch.nn.Linear) else f(v)
    return v


def gru_step(gru, h, v):
    i_r, i_z, i_n = (v @ gru.weight_ih_l0.T + gru.bias_ih_l0).chunk(3, -1)
    h_r, h_z, h_n = (h @ gru.weight_hh_l0.T + gru.bias_hh_l0).chunk(3, -1)
    update = sigmoid(i_z + h_z)
    return (1 - update) * tanh(i_n + sigmoid(i_r + h_r) * h_n) + update * h


def gru_cell_step(cell, h, c, z):
    """The same with the matrices for c and for z apart."""
    inputs = (c @ cell.from_c.weight.T + z @ cell.from_z.weight.T + cell.from_c.bias).chunk(3, -1)
    h_r, h_z, h_n = affine(cell.from_d, h).chunk(3, -1)
    update = sigmoid(inputs[1] + h_z)
    return (1 - update) * tanh(inputs[2] + sigmoid(inputs[0] + h_r) * h_n) + update * h


def with_floor(logvar):
    return torch.log(torch.exp(logvar) + FLOOR)


def gaussian_of_one(part, v):
    """NN_1(v) and log(exp(NN_2(v)) + floor), where v is the only input."""
    first_mu, first_logvar = (v @ part.from_z.weight.T + part.from_c.bias).chunk(2, -1)
    return network(part.mu, f(first_mu)), with_floor(network(part.logvar, f(first_logvar)))


def gaussian_networks(part, z, c):
    """NN_1([z, c]) and log(exp(NN_2([z, c])) + floor), each network with its own first layer."""
    first_mu, first_logvar = (
        torch.cat([z, c], -1) @ torch.cat([w_z, w_c], 1).T + b
        for w_z, w_c, b in zip(
            part.from_z.weight.chunk(2),
            part.from_c.weight.chunk(2),
            part.from_c.bias.chunk(2),
            strict=True,
        )
    )
    return network(part.mu, f(first_mu)), with_floor(network(part.logvar, f(first_logvar)))


def check_frame(bound, batch, t, d_t, z_t, prior, posterior, outputs):
    """Frame t of a bound with a Gaussian likelihood, against what was worked out by hand."""
    (mu_p, logvar_p), (mu_q, logvar_q) = prior, posterior
    mean, v = outputs[:, :4], torch.exp(outputs[:, 4:]) + FLOOR
    log_px = (-0.5 * torch.log(2 * math.pi * v) - (batch.x[:, t] - mean) ** 2 / (2 * v)).sum(-1)
    v_p, v_q = torch.exp(logvar_p), torch.exp(logvar_q)
    kl = 0.5 * (torch.log(v_p / v_q) + (v_q + (mu_q - mu_p) ** 2) / v_p - 1).sum(-1)
    trace = bound.trace
    for by_hand, library in [
        (d_t, trace.d[:, t]),
        (z_t, trace.z[:, t]),
        (mu_p, trace.prior.mu[:, t]),
        (logvar_p, trace.prior.logvar[:, t]),
        (mu_q, trace.posterior.mu[:, t]),
        (logvar_q, trace.posterior.logvar[:, t]),
        (log_px, bound.log_px[:, t]),
        (kl, bound.kl[:, t]),
    ]:
        torch.testing.assert_close(by_hand, library)


def phi_z(model, z):
    """z as the other networks read it: through the network ``features_z``, where there is one."""
    return network(model.features_z, z) if list(model.features_z.parameters()) else z


def phi_u(model, u):
    """u as d reads it: each part through a network of its own."""
    parts = [network(model.features, u[..., :4])] if model.config.feedback else []
    parts += [network(model.features_u, u[..., 4:])] if model.config.u_dim else []
    return torch.cat(parts, -1) if parts else torch.zeros_like(u[..., :1])


@pytest.mark.parametrize(
    ("num_layers", "emission_layers", "features_z", "known"),
    [
        (1, 0, "auto", KNOWN[0]),
        (2, 0, "on", KNOWN[1]),
        (1, 2, "off", KNOWN[2]),
        (2, 1, "auto", KNOWN[3]),
    ],
)
@pytest.mark.parametrize("kind", [VRNN, VRNNI])
def test_the_vrnn_by_hand(kind, num_layers, emission_layers, features_z, known):
    sizes = {
        "num_layers": num_layers,
        "emission_layers": emission_layers,
        "features_z": features_z,
        **known,
    }
    model, batch, state, noise = case(kind, **sizes)
    assert bool(list(model.features_z.parameters())) == (features_z != "off")
    assert len(model.emission) == 2 * (emission_layers or num_layers) + 1
    bound = elbo(model, batch, state, noise)
    d_t, z_t = state
    for t in range(7):
        e_u, e_x = phi_u(model, batch.u[:, t]), network(model.features, batch.x[:, t])
        d_t = gru_cell_step(model.gru_d, d_t, e_u, phi_z(model, z_t))  # f(d_{t-1}, z_{t-1}, u_t)
        zero = torch.zeros(2, 3, dtype=torch.float64)
        # p(z_t | d_t), or N(0, I).
        prior = gaussian_of_one(model.prior, d_t) if kind is VRNN else (zero, zero)
        mu_q, logvar_q = gaussian_networks(model.posterior, d_t, e_x)  # q(z_t | d_t, x_t)
        z_t = mu_q + torch.exp(logvar_q / 2) * noise[:, t]
        outputs = network(model.emission, torch.cat([d_t, phi_z(model, z_t)], -1))
        check_frame(bound, batch, t, d_t, z_t, prior, (mu_q, logvar_q), outputs)


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize(("num_layers", "features_z"), [(1, "auto"), (2, "on")])
def test_storn_by_hand(num_layers, features_z, known):
    model, batch, state, noise = case(STORN, num_layers=num_layers, features_z=features_z, **known)
    bound = elbo(model, batch, state, noise)
    d_t, a_t = state.d.chunk(2, -1)
    for t in range(7):
        e_u, e_x = phi_u(model, batch.u[:, t]), network(model.features, batch.x[:, t])
        a_t = gru_step(model.gru_a, a_t, e_x)  # the recognition network has seen x_{1:t}
        mu_q, raw = network(model.posterior, a_t).chunk(2, -1)
        posterior = mu_q, with_floor(raw)
        z_t = mu_q + torch.exp(posterior[1] / 2) * noise[:, t]
        d_t = gru_cell_step(model.gru_d, d_t, e_u, phi_z(model, z_t))  # z_t is an input of d_t
        zero = torch.zeros(2, 3, dtype=torch.float64)  # N(0, I)
        outputs = network(model.emission, d_t)  # p(x_t | d_t)
        check_frame(
            bound, batch, t, torch.cat([d_t, a_t], -1), z_t, (zero, zero), posterior, outputs
        )


def gated_transition(part, z):
    """Krishnan et al. (2017): a gate between the linear and the proposed mean."""
    gate, proposed = sigmoid(network(part.gate, z)), network(part.proposed, z)
    mu = (1 - gate) * affine(part.linear, z) + gate * proposed
    return mu, with_floor(affine(part.logvar[1], f(proposed)))


@pytest.mark.parametrize(
    ("num_layers", "emission_layers", "features_z"), [(1, 0, "auto"), (2, 0, "off"), (1, 2, "on")]
)
@pytest.mark.parametrize(
    ("smoothing", "residual", "gated"), list(itertools.product([True, False], repeat=3))
)
def test_the_deep_kalman_filter_by_hand(
    smoothing, residual, gated, num_layers, emission_layers, features_z
):
    sizes = {"num_layers": num_layers, "emission_layers": emission_layers, "features_z": features_z}
    model, batch, state, noise = case(
        DKF, smoothing=smoothing, residual=residual, gated_transition=gated, **sizes
    )
    bound = elbo(model, batch, state, noise)
    e_x = network(model.features, batch.x)
    a, a_t = [None] * 7, torch.zeros(2, 5, dtype=torch.float64)  # a_{T+1} = 0
    for t in reversed(range(7)):
        a_t = gru_step(model.a.gru, a_t, e_x[:, t]) if smoothing else network(model.a, e_x[:, t])
        a[t] = a_t
    z_t = state.z
    for t in range(7):
        z_tm1 = z_t
        of_z = phi_z(model, z_tm1)
        prior = (
            gated_transition(model.prior, z_tm1) if gated else gaussian_of_one(model.prior, of_z)
        )
        mu_q, logvar_q = gaussian_networks(model.posterior, of_z, a[t])  # q(z_t | z_{t-1}, a_t)
        mu_q = prior[0] + mu_q if residual else mu_q
        z_t = mu_q + torch.exp(logvar_q / 2) * noise[:, t]
        outputs = network(model.emission, phi_z(model, z_t))  # p(x_t | z_t)
        check_frame(bound, batch, t, batch.x[:, t, :0], z_t, prior, (mu_q, logvar_q), outputs)


def test_the_deep_kalman_filters_posterior_depends_on_z_before_and_on_x_from_then_on():
    """d-separation: given z_{t-1}, z_t does not depend on x_{1:t-1}; but on all that follows."""
    model, batch, state, _ = case(DKF)
    x = batch.x.clone().requires_grad_()
    context = model.encode(batch.u, x, batch.lengths, state)
    gradient = torch.autograd.grad(context["for_posterior"][:, 3].sum(), x)[0].abs().sum((0, 2))
    assert (gradient[:3] == 0).all()
    assert (gradient[3:] > 0).all()


def test_the_gated_transition_begins_with_the_identity():
    model = DKF(ModelConfig(gated_transition=True, z_dim=3, hidden_dim=6))
    assert torch.equal(model.prior.linear.weight, torch.eye(3))
    assert torch.equal(model.prior.linear.bias, torch.zeros(3))


def test_a_gru_cell_begins_with_the_weights_of_a_gru():
    torch.manual_seed(0)
    cell = VRNN(ModelConfig(x_dim=4, d_dim=8, hidden_dim=6)).gru_d
    for gates in (
        torch.cat([cell.from_c.weight, cell.from_z.weight], 1).chunk(3),
        cell.from_d.weight.chunk(3),
    ):
        for gate in gates:
            torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)
    assert not any(layer.bias.any() for layer in (cell.from_c, cell.from_d))


@pytest.mark.parametrize(
    ("emission_layers", "features_z", "known"),
    [(0, "auto", KNOWN[0]), (2, "on", KNOWN[1]), (0, "auto", KNOWN[2]), (2, "on", KNOWN[3])],
)
@pytest.mark.parametrize(("smoothing", "residual", "num_layers", "likelihood"), VARIANTS)
def test_equations_1_to_12_and_algorithm_1_by_hand(
    smoothing, residual, num_layers, likelihood, emission_layers, features_z, known
):
    options = {"smoothing": smoothing, "residual": residual, "num_layers": num_layers}
    sizes = {"emission_layers": emission_layers, "features_z": features_z, **known}
    model, batch, state, noise = case(SRNN, likelihood, **options, **sizes)
    assert bool(list(model.features_z.parameters())) == (features_z == "on")
    layers = 2 * (emission_layers or num_layers)
    assert (len(model.emission), smoothing or len(model.a)) == (layers + 1, smoothing or layers)
    bound = elbo(model, batch, state, noise)
    T = 7  # noqa: N806
    # One extractor for x_{t-1} and x_t.
    e_u, e_x = (
        phi_u(model, batch.u),
        network(model.features, batch.x),
    )

    d, d_t = [], state.d
    for t in range(T):  # d_t = GRU(d_{t-1}, u_t)
        d_t = gru_step(model.gru_d, d_t, e_u[:, t])
        d.append(d_t)

    a = [None] * T
    a_t = torch.zeros(2, 5, dtype=torch.float64)  # a_{T+1} = 0
    for t in reversed(range(T)):  # Eq. (7)
        inputs = torch.cat([d[t], e_x[:, t]], -1)
        a_t = gru_step(model.a.gru, a_t, inputs) if smoothing else network(model.a, inputs)
        a[t] = a_t

    z_t = state.z
    for t in range(T):
        z_tm1 = phi_z(model, z_t)
        mu_p, logvar_p = gaussian_networks(model.prior, z_tm1, d[t])  # Eq. (3)
        mu_q, logvar_q = gaussian_networks(model.posterior, z_tm1, a[t])  # Eq. (10)
        if residual:
            mu_q = mu_p + mu_q  # Eq. (12)
        z_t = mu_q + torch.exp(logvar_q / 2) * noise[:, t]

        outputs = network(model.emission, torch.cat([d[t], phi_z(model, z_t)], -1))
        if likelihood == "bernoulli":
            p = sigmoid(outputs)
            log_px = torch.log(torch.where(batch.x[:, t] == 1, p, 1 - p)).sum(-1)
        else:
            mean, v = outputs[:, :4], torch.exp(outputs[:, 4:]) + FLOOR
            log_px = (
                -0.5 * torch.log(2 * math.pi * v) - (batch.x[:, t] - mean) ** 2 / (2 * v)
            ).sum(-1)
        v_p, v_q = torch.exp(logvar_p), torch.exp(logvar_q)
        kl = 0.5 * (torch.log(v_p / v_q) + (v_q + (mu_q - mu_p) ** 2) / v_p - 1).sum(-1)

        for by_hand, library in [
            (d[t], bound.trace.d[:, t]),
            (mu_p, bound.trace.prior.mu[:, t]),
            (logvar_p, bound.trace.prior.logvar[:, t]),
            (mu_q, bound.trace.posterior.mu[:, t]),
            (logvar_q, bound.trace.posterior.logvar[:, t]),
            (z_t, bound.trace.z[:, t]),
            (log_px, bound.log_px[:, t]),
            (kl, bound.kl[:, t]),
            (log_px - kl, bound.elbo[:, t]),  # Eq. (8)
        ]:
            torch.testing.assert_close(by_hand, library)
    torch.testing.assert_close(bound.trace.state.z, z_t)
    torch.testing.assert_close(bound.trace.state.d, d[-1])


@pytest.mark.parametrize("known", KNOWN)
def test_the_deterministic_network_by_hand(known):
    model, batch, state, _ = case(RNN, **known)
    bound = elbo(model, batch, state._replace(z=state.z[:, :0]))
    d_t = state.d
    for t in range(7):
        d_t = gru_step(model.gru_d, d_t, phi_u(model, batch.u[:, t]))
        outputs = network(model.emission, d_t)
        torch.testing.assert_close(
            bound.log_px[:, t], model.likelihood.log_prob(outputs, batch.x[:, t])
        )


@pytest.mark.parametrize("smoothing", [True, False])
@pytest.mark.parametrize("residual", [True, False])
def test_given_z_tm1_and_d_the_posterior_depends_on_no_past_and_a_filtering_one_on_no_future(
    smoothing, residual
):
    """d-separation in Figure 2a gives q(z_t | z_{t-1}, d_{t:T}, x_{t:T}), Eq. (7).

    For a filtering posterior, it is q(z_t | z_{t-1}, d_t, x_t).
    """
    model, batch, state, _ = case(smoothing=smoothing, residual=residual)
    x = batch.x.clone().requires_grad_()
    context = model.encode(batch.u, x, batch.lengths, state)  # u is not x here, so d is given
    assert not torch.autograd.grad(context["d"].sum() + 0 * x.sum(), x, retain_graph=True)[0].any()
    for t in range(7):
        context_t = {name: values[:, t] for name, values in context.items()}
        _, _, posterior = model.step(state, context_t, torch.zeros_like(state.z))
        gradient = torch.autograd.grad(
            posterior.mu.sum() + posterior.logvar.sum(), x, retain_graph=True
        )[0]
        reached = gradient.abs().sum((0, 2)) > 0
        assert reached.tolist() == [s == t or (smoothing and s > t) for s in range(7)]


def test_weights_begin_orthogonal_or_glorot_normal_and_biases_zero():
    torch.manual_seed(0)
    model = SRNN(ModelConfig(x_dim=88))
    for gate in model.gru_d.weight_hh_l0.data.chunk(3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(300), atol=1e-5, rtol=0)
    for gate in model.gru_d.weight_ih_l0.data.chunk(3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(300), atol=1e-5, rtol=0)
    network_1 = torch.cat(
        [w.weight.chunk(2)[0] for w in (model.prior.from_z, model.prior.from_c)], 1
    )
    for weight in (
        network_1,
        model.features[0].weight,
        model.emission[-1].weight,
        model.prior.mu[0].weight,
    ):
        glorot = (2 / sum(weight.shape)) ** 0.5
        assert float(weight.detach().std()) == pytest.approx(glorot, rel=0.02)
    assert all((p == 0).all() for name, p in model.named_parameters() if "bias" in name)


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_vrae_by_hand(likelihood, known):
    model, batch, _, noise = case(VRAE, likelihood, **known)
    state = model.initial_state(2)
    bound = elbo(model, batch, state, noise)
    features_u, features_x = phi_u(model, batch.u), network(model.features, batch.x)
    a = torch.zeros(2, 5, dtype=torch.float64)
    for t in reversed(range(7)):
        a = gru_step(model.a.gru, a, features_x[:, t])
    mu_q, logvar_q = network(model.posterior, a).chunk(2, -1)
    logvar_q = torch.log(logvar_q.exp() + FLOOR)
    d = tanh(affine(model.first_d, mu_q + (logvar_q / 2).exp() * noise[:, 0]))
    kl = 0.5 * (logvar_q.exp() + mu_q**2 - 1 - logvar_q).sum(-1)
    for t in range(7):
        d = gru_step(model.gru_d, d, features_u[:, t])
        expected = model.likelihood.log_prob(network(model.emission, d), batch.x[:, t])
        torch.testing.assert_close(bound.log_px[:, t], expected)
    torch.testing.assert_close(bound.kl[:, 0], kl)
    assert (bound.kl[:, 1:] == 0).all()


def test_the_bound_of_a_vrae_and_the_kl_to_its_true_posterior_add_up_to_the_evidence():
    """By quadrature over its one z, a priori for the evidence and a posteriori for the rest."""
    torch.manual_seed(0)
    model = VRAE(ModelConfig(x_dim=4, d_dim=5, z_dim=1, hidden_dim=6)).double()
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    x = torch.rand(1, 6, 4).round().double()
    batch = Batch(x, torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1), torch.tensor([6]))
    grid = torch.linspace(-9, 9, 2001, dtype=torch.float64)
    noise, weight = (
        grid[:, None, None].expand(-1, 6, 1),
        torch.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi) * 18 / 2000,
    )
    drawn = model.unroll(batch.u, None, batch.lengths, model.initial_state(1), noise)
    log_px = model.likelihood.log_prob(model.decode(drawn.d, drawn.z), x.expand(2001, -1, -1)).sum(
        1
    )
    evidence = (weight.log() + log_px).logsumexp(0)
    bound = elbo(model, batch, noise=noise)
    z_1 = bound.trace.z[:, :1]
    log_q, log_p = (
        type(dist)(*(v[:, :1] for v in dist)).log_prob(z_1)[:, 0] for dist in bound.trace[3:1:-1]
    )
    log_true = bound.log_px.sum(1) + log_p - evidence
    kl = (weight * (log_q - log_true)).sum()
    assert kl > 0.01
    torch.testing.assert_close((weight * bound.elbo.sum(1)).sum() + kl, evidence)
