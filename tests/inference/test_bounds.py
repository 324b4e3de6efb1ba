import itertools
import math

import numpy as np
import pytest
import torch
from linear_gaussian import LinearDKF, LinearSRNN

from srnn_lab.config import CONVENTIONS, EvaluationConfig, ModelConfig
from srnn_lab.data import Batch, make_batch
from srnn_lab.inference import bounds
from srnn_lab.inference.bounds import (
    SequenceBound,
    draw_noise,
    draw_uniforms,
    elbo,
    evaluate,
    fivo,
    iwae,
    reduce,
)
from srnn_lab.models import State, build_model

SEQUENCE = np.random.default_rng(0).normal(size=(12, 2))
SHORT = SEQUENCE[:3]
exact_models = pytest.mark.parametrize(
    "kind_of_model", [LinearDKF, LinearSRNN], ids=["dkf", "srnn"]
)


def estimates(kind, model, sequence, paths, copies, numbers=1, **options):
    """Independent values of a bound of one sequence."""
    batch, generator = make_batch([sequence] * copies), torch.Generator().manual_seed(paths)
    noise = draw_noise(model, batch, generator, paths=paths)
    if kind == "iwae":
        return iwae(model, batch, noise).value
    return fivo(
        model, batch, noise, draw_uniforms(batch, generator, numbers=numbers), **options
    ).value


@exact_models
def test_at_the_exact_posterior_every_path_gives_the_evidence_of_the_kalman_filter(kind_of_model):
    """log p(x, z) - log q(z | x) = log p(x) for any z: one path, many, particles not resampled."""
    model = kind_of_model()
    evidence = model.log_evidence(SEQUENCE)
    for found in (
        estimates("iwae", model, SEQUENCE, 1, 20),
        estimates("iwae", model, SEQUENCE, 7, 20),
        estimates("fivo", model, SEQUENCE, 7, 20, resampling_share=0.0),
    ):
        np.testing.assert_allclose(found, evidence, atol=1e-8, rtol=0)


@exact_models
def test_the_elbo_at_the_exact_posterior_is_the_evidence_of_the_kalman_filter(kind_of_model):
    """Its value is quadratic in the noise.

    The mean over points at +- sqrt(n) on each axis is the expectation.
    """
    model, n = kind_of_model(), SEQUENCE.size
    points = n**0.5 * torch.eye(n, dtype=torch.float64).view(n, *SEQUENCE.shape)
    values = elbo(model, make_batch([SEQUENCE]), noise=torch.cat([points, -points])).elbo.sum(1)
    assert values.std() > 0.1
    assert abs(float(values.mean()) - model.log_evidence(SEQUENCE)) < 1e-8


@exact_models
@pytest.mark.parametrize("posterior", ["prior", "filtering"])
def test_the_elbo_elsewhere_is_below_the_evidence(posterior, kind_of_model):
    model, batch = kind_of_model(posterior), make_batch([SEQUENCE] * 20_000)
    values = elbo(
        model, batch, noise=draw_noise(model, batch, torch.Generator().manual_seed(0))
    ).elbo.sum(1)
    assert (
        float(values.mean()) < model.log_evidence(SEQUENCE) - 6 * float(values.std()) / 20_000**0.5
    )


@pytest.mark.slow
@exact_models
@pytest.mark.parametrize(
    ("kind", "posterior", "options"),
    [
        ("iwae", "filtering", {}),
        ("iwae", "prior", {}),
        *itertools.product(
            ["fivo"],
            ["smoothing", "filtering", "prior"],
            [{"numbers": 1}, {"numbers": 4}, {"resampling_share": 1.0}],
        ),
    ],
    ids=str,
)
def test_the_mean_of_the_estimate_of_p_x_is_the_evidence_of_the_kalman_filter(
    kind, posterior, options, kind_of_model
):
    model = kind_of_model(posterior)
    ratios = (estimates(kind, model, SHORT, 4, 20_000, **options) - model.log_evidence(SHORT)).exp()
    error = float(ratios.std()) / 20_000**0.5
    assert 0 < error < 0.05
    assert abs(float(ratios.mean()) - 1) < 4 * error


@pytest.mark.slow
@exact_models
@pytest.mark.parametrize("kind", ["iwae", "fivo"])
def test_more_paths_raise_the_bound_towards_the_evidence_and_never_above_it(kind, kind_of_model):
    model = kind_of_model("filtering")
    values = [estimates(kind, model, SEQUENCE, paths, 2000) for paths in (1, 4, 16, 64)]
    means = [float(value.mean()) for value in values]
    errors = [float(value.std()) / 2000**0.5 for value in values]
    evidence = model.log_evidence(SEQUENCE)
    for i in range(3):
        assert means[i + 1] - means[i] > 3 * math.hypot(errors[i], errors[i + 1])
    assert means[-1] < evidence + 3 * errors[-1]
    assert evidence - means[-1] < 0.2 * (evidence - means[0])


@pytest.mark.slow
@exact_models
def test_a_bootstrap_particle_filter_rises_to_the_evidence(kind_of_model):
    """The prior is its proposal."""
    model = kind_of_model("prior")
    evidence = model.log_evidence(SEQUENCE)
    gaps = [
        evidence - float(estimates("fivo", model, SEQUENCE, k, 40).mean()) for k in (10, 100, 2000)
    ]
    assert gaps[0] > 3 * gaps[1] > 0.05
    assert abs(gaps[2]) < 0.05


def tiny_case(smoothing=True, lengths=(6, 6), paths=3):
    torch.manual_seed(0)
    config = ModelConfig(
        likelihood="gaussian", x_dim=3, d_dim=4, z_dim=2, hidden_dim=5, smoothing=smoothing
    )
    model = build_model(config).double()
    u, x = torch.randn(2, len(lengths), max(lengths), 3, dtype=torch.float64)
    batch = Batch(x, u, torch.tensor(lengths))
    return model, batch, draw_noise(model, batch, paths=paths)


@pytest.mark.parametrize("smoothing", [True, False])
def test_with_one_path_fivo_is_iwae_is_the_elbo_with_a_sampled_kl(smoothing):
    model, batch, noise = tiny_case(smoothing, (6, 4), paths=1)
    bound = elbo(model, batch, noise=noise)
    trace = bound.trace
    sampled = (trace.posterior.log_prob(trace.z) - trace.prior.log_prob(trace.z)) * batch.mask
    for found in (iwae(model, batch, noise), fivo(model, batch, noise, draw_uniforms(batch))):
        torch.testing.assert_close(found.value, (bound.log_px - sampled).sum(1))
        torch.testing.assert_close(found.kl, sampled.sum(1))
        for values in zip(found.state, trace.state, strict=True):
            torch.testing.assert_close(*values)


def test_fivo_that_never_resamples_is_iwae():
    model, batch, noise = tiny_case(lengths=(6, 4), paths=5)
    never = fivo(model, batch, noise, draw_uniforms(batch), resampling_share=0.0)
    expected = iwae(model, batch, noise)
    for name in ("value", "kl", "log_weights"):
        torch.testing.assert_close(getattr(never, name), getattr(expected, name))
    torch.testing.assert_close(never.state.z, expected.state.z)


@pytest.mark.parametrize(("share", "numbers"), [(0.9, 1), (0.9, 5), (1.0, 1), (1.0, 5)])
def test_fivo_is_the_algorithm_of_its_paper_with_its_gradient_by_hand(share, numbers):
    """One sequence and one particle after another; the gradient takes ancestors as constants."""
    model, batch, noise = tiny_case(paths=5)
    uniforms = draw_uniforms(batch, numbers=numbers)
    by_hand, times = [], 0
    for i in range(2):
        context = model.encode(
            batch.u[[i]], batch.x[[i]], batch.lengths[[i]], model.initial_state(1)
        )
        states, log_w, log_p = [model.initial_state(1)] * 5, [math.log(1 / 5)] * 5, 0.0
        for t in range(6):
            for k in range(5):
                context_t = {name: values[:, t] for name, values in context.items()}
                states[k], p, q = model.step(states[k], context_t, noise[2 * k + i, None, t])
                d, z = states[k]
                log_px = model.likelihood.log_prob(
                    model.decode(d[None], z[None]), batch.x[[i], t][None]
                )[0]
                log_w[k] = log_w[k] + log_px + p.log_prob(z) - q.log_prob(z)
            step = torch.logsumexp(torch.stack(log_w), 0)  # log of p-hat_t
            log_p, log_w = log_p + step, [w - step for w in log_w]
            shares = [float(w.detach().exp()) for w in log_w]
            if t < 5 and 1 / sum(w**2 for w in shares) < share * 5:
                times += 1
                positions = (
                    [float(u) for u in uniforms[i, t]]
                    if numbers == 5
                    else [(k + float(uniforms[i, t, 0])) / 5 for k in range(5)]
                )
                ends = list(itertools.accumulate(shares))
                chosen = [next(k for k in range(5) if position < ends[k]) for position in positions]
                states, log_w = [states[k] for k in chosen], [math.log(1 / 5)] * 5
        by_hand.append(log_p)
    assert times > 3
    expected = torch.cat(by_hand)
    found = fivo(model, batch, noise, uniforms, resampling_share=share).value
    torch.testing.assert_close(found, expected)
    parameters = list(model.parameters())
    grads = (torch.autograd.grad(values.sum(), parameters) for values in (found, expected))
    for pair in zip(*grads, strict=True):
        torch.testing.assert_close(*pair)


def test_the_kl_weight_is_a_factor_in_the_log_weights():
    model, batch, noise = tiny_case(paths=1)
    uniforms = draw_uniforms(batch)
    for bound in (
        lambda w: iwae(model, batch, noise, kl_weight=w),
        lambda w: fivo(model, batch, noise, uniforms, kl_weight=w),
    ):
        torch.testing.assert_close(bound(0.25).value, bound(1.0).value + 0.75 * bound(1.0).kl)


def test_a_path_is_drawn_by_its_weight():
    weights = torch.tensor([[0.1, 0.7], [0.6, 0.3], [0.3, 0.0]])
    states = State(torch.zeros(6, 1), torch.arange(6.0)[:, None])
    bound = SequenceBound(torch.zeros(2), torch.zeros(2), weights.log() + 5, states)
    drawn = [
        bound.draw_state(torch.full((2,), (i + 0.5) / 100)).z[:, 0].tolist() for i in range(100)
    ]
    first, second = (list(values) for values in zip(*drawn, strict=True))
    assert [first.count(row) for row in (0, 2, 4)] == [10, 60, 30]
    assert [second.count(row) for row in (1, 3, 5)] == [70, 30, 0]


@pytest.mark.parametrize(
    ("average", "expected"),
    [("micro", (6 + 4) / (3 + 1)), ("macro", (6 / 3 + 4 / 1) / 2), ("sequence", (6 + 4) / 2)],
)
def test_averages_by_hand(average, expected):
    config = EvaluationConfig(average=average, first_frame=True)
    score = reduce(
        torch.tensor([[7.0, 6.0]]), torch.tensor([[1.0, 2.0]]), torch.tensor([3, 1]), config
    )
    assert (score.elbo, score.frames, score.sequences) == (pytest.approx(expected), 4, 2)
    assert score.elbo == pytest.approx(score.log_px - score.kl)


@pytest.mark.parametrize("average", ["micro", "macro", "sequence"])
def test_standard_errors_are_those_of_means_and_of_ratios_of_sums(average):
    """The ratio's by hand as that of (s_i - r n_i) / mean(n), which has mean 0.

    With equal lengths it is the mean's.
    """
    n, log_px = torch.tensor([3, 1, 6]), torch.tensor([[7.0, 6.0, 2.0], [9.0, 6.0, 0.0]])
    score = reduce(log_px, log_px * 0, n, EvaluationConfig(average=average), {"iwae:2": log_px})
    sums = log_px.mean(0).numpy()
    values = {
        "micro": (sums - sums.sum() / 10 * n.numpy()) / (10 / 3),
        "macro": sums / n.numpy(),
        "sequence": sums,
    }[average]
    singles = [
        reduce(row[None], row[None] * 0, n, EvaluationConfig(average=average)).elbo
        for row in log_px
    ]
    found = score.to_dict()
    for name in ("elbo", "iwae:2"):
        assert found[name] == pytest.approx(sum(singles) / 2)
        assert found[f"{name}_se"] == pytest.approx(values.std(ddof=1) / 3**0.5)
        assert found[f"{name}_se_repetitions"] == pytest.approx(abs(singles[0] - singles[1]) / 2)


def test_a_standard_error_needs_two():
    score = reduce(torch.ones(1, 1), torch.zeros(1, 1), torch.tensor([3]), EvaluationConfig())
    assert score.others == {}


def test_conventions_are_those_of_the_literature():
    assert CONVENTIONS["srnn-music"] == EvaluationConfig(average="macro", first_frame=False)
    assert CONVENTIONS["srnn-speech"] == EvaluationConfig(average="sequence", first_frame=False)
    assert CONVENTIONS["field-music"] == EvaluationConfig(average="micro", first_frame=True)


@pytest.mark.parametrize("first_frame", [True, False])
def test_evaluation_is_the_sum_over_whole_sequences_from_zero_states(first_frame):
    """An RNN has no noise, so the figure can be had from single sequences."""
    torch.manual_seed(0)
    model = build_model(ModelConfig(model="rnn", x_dim=3, d_dim=4, hidden_dim=5))
    sequences = [
        np.random.default_rng(i).integers(0, 2, (n, 3)).astype(np.float32)
        for i, n in enumerate([4, 9, 2, 6])
    ]
    config = EvaluationConfig(average="micro", first_frame=first_frame)
    score = evaluate(model, sequences, config, batch_size=2)
    singles = [elbo(model, make_batch([s], first_frame)).elbo.sum().item() for s in sequences]
    frames = sum(map(len, sequences)) - (0 if first_frame else 4)
    assert score.frames == frames
    assert score.elbo == pytest.approx(sum(singles) / frames, rel=1e-5)
    assert score.kl == 0


def test_sums_of_single_sequences_and_active_frames_are_those_of_the_bound():
    torch.manual_seed(0)
    model = build_model(ModelConfig(model="rnn", x_dim=3, d_dim=4, hidden_dim=5))
    generator = np.random.default_rng(0)
    sequences = [generator.integers(0, 2, (n, 3)).astype(np.float32) for n in (4, 9, 2, 6)]
    active = [np.arange(len(s)) % 3 == 1 for s in sequences]
    score = evaluate(
        model,
        sequences,
        EvaluationConfig(average="micro", first_frame=False),
        active=active,
        batch_size=3,
    )
    nats = [elbo(model, make_batch([s], False)).elbo[0].detach().numpy() for s in sequences]
    assert score.lengths == [3, 8, 1, 5]
    assert score.sums == pytest.approx([values.sum() for values in nats], rel=1e-5)
    heard = np.concatenate(
        [values[chosen[1:]] for values, chosen in zip(nats, active, strict=True)]
    )
    assert score.others["elbo_active"] == pytest.approx(heard.mean(), rel=1e-5)
    assert score.others["elbo_active_se"] > 0
    assert "sums" not in score.to_dict()


@pytest.mark.slow
def test_processes_share_the_batches_and_the_figure_does_not_depend_on_their_number(monkeypatch):
    torch.manual_seed(0)
    model = build_model(ModelConfig(x_dim=3, d_dim=4, z_dim=2, hidden_dim=5))
    lengths = [4, 9, 2, 6, 3, 7, 5]
    sequences = [
        np.random.default_rng(i).integers(0, 2, (n, 3)).astype(np.float32)
        for i, n in enumerate(lengths)
    ]

    def score(**ranks):
        options = {"bounds": ["iwae:2", "fivo:3"], "repetitions": 2, "batch_size": 2, "seed": 1}
        return evaluate(model, sequences, EvaluationConfig(average="macro"), **options, **ranks)

    parts = [[], [], []]
    for rank in range(3):
        monkeypatch.setattr(
            torch.distributed,
            "all_reduce",
            lambda total, kept=parts[rank]: kept.append(total.clone()),
        )
        score(rank=rank, world_size=3)
    by_length = [2, 4, 0, 6, 3, 5, 1]
    owned = [{*by_length[0:2], *by_length[6:7]}, set(by_length[2:4]), set(by_length[4:6])]
    for (whole,), own in zip(parts, owned, strict=True):
        assert (
            set(whole.all(0).nonzero().flatten().tolist())
            == set(whole.any(0).nonzero().flatten().tolist())
            == own
        )
    for rank in range(3):
        others = zip(*(parts[other] for other in range(3) if other != rank), strict=True)
        monkeypatch.setattr(
            torch.distributed, "all_reduce", lambda total, left=others: total.add_(sum(next(left)))
        )
        assert score(rank=rank, world_size=3) == score()


def test_the_same_seed_gives_the_same_figure():
    torch.manual_seed(0)
    model = build_model(ModelConfig(x_dim=3, d_dim=4, z_dim=2, hidden_dim=5))
    sequences = [
        np.random.default_rng(i).integers(0, 2, (6, 3)).astype(np.float32) for i in range(3)
    ]
    figures = [evaluate(model, sequences, EvaluationConfig(), seed=seed).elbo for seed in (4, 4, 5)]
    assert figures[0] == figures[1] != figures[2]


def test_evaluation_is_without_dropout_in_whichever_mode_the_model_comes():
    rates = dict.fromkeys(
        ("dropout_features", "dropout_d", "dropout_heads", "dropout_emission"), 0.5
    )
    model = build_model(ModelConfig(x_dim=3, d_dim=4, z_dim=2, hidden_dim=5, **rates))
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, 2, (length, 3)).astype(np.float32) for length in (4, 6)]
    expected = evaluate(model.eval(), sequences, EvaluationConfig(), bounds=["iwae:2", "fivo:2"])
    assert not model.training
    assert (
        evaluate(model.train(), sequences, EvaluationConfig(), bounds=["iwae:2", "fivo:2"])
        == expected
    )
    assert model.training
    assert model.read_d.training


def many_paths_case():
    torch.manual_seed(0)
    model = build_model(ModelConfig(x_dim=3, d_dim=4, z_dim=2, hidden_dim=5))
    lengths = [4, 9, 2, 6, 3, 7, 5]
    sequences = [
        np.random.default_rng(i).integers(0, 2, (n, 3)).astype(np.float32)
        for i, n in enumerate(lengths)
    ]

    def figures(*names, **options):
        return evaluate(model, sequences, EvaluationConfig(), bounds=names, **options).to_dict()

    return figures


def test_bounds_are_computed_in_one_pass_and_each_is_what_it_is_alone():
    figures = many_paths_case()
    together = figures("elbo", "iwae:8", "fivo:8")
    assert {name for name in together if ":" in name} == {
        "iwae:8",
        "iwae:8_se",
        "fivo:8",
        "fivo:8_se",
    }
    assert together["elbo"] == figures()["elbo"]
    for name in ("iwae:8", "fivo:8"):
        assert together[name] == figures(name)[name]
        assert together[name] > together["elbo"]


@pytest.mark.parametrize(
    ("options", "memory"), [({"batch_size": 1}, 2**30), ({"batch_size": 3}, 2**30), ({}, 2**13)]
)
def test_a_sequences_noise_is_its_own_however_batches_are_made(options, memory, monkeypatch):
    figures = many_paths_case()
    expected = figures("iwae:8", "fivo:8", resampling_share=1.0)
    monkeypatch.setattr(bounds, "MEMORY", memory)  # of which the paths of the longer ones need more
    found = figures("iwae:8", "fivo:8", resampling_share=1.0, **options)
    for name in ("iwae:8", "fivo:8"):
        assert found[name] == pytest.approx(expected[name], rel=1e-5)


def test_the_kind_and_the_share_of_resampling_reach_fivo():
    figures = many_paths_case()
    found = [
        figures("fivo:8", **options)["fivo:8"]
        for options in (
            {},
            {"resampling": "multinomial"},
            {"resampling_share": 1.0},
            {"resampling_share": 0.0},
        )
    ]
    assert len(set(found)) == 4


def test_repetitions_are_averaged_and_the_first_is_the_only_one_without():
    figures = many_paths_case()
    one, three = figures("fivo:4"), figures("fivo:4", repetitions=3)
    for name in ("elbo", "fivo:4"):
        assert f"{name}_se_repetitions" not in one
        assert three[f"{name}_se_repetitions"] > 0
        assert (
            one[name]
            != three[name]
            == pytest.approx(one[name], abs=6 * three[f"{name}_se_repetitions"])
        )


@pytest.mark.parametrize("memory", [2**14, 1])
def test_what_does_not_fit_into_memory_is_done_in_chunks(memory, monkeypatch):
    """At the exact posterior any division gives the evidence.

    For fivo, at least one sequence's particles must fit.
    """
    model, sequences = LinearSRNN(), [SEQUENCE, SHORT, SEQUENCE[3:]]
    whole = evaluate(
        model, sequences, EvaluationConfig(average="sequence"), bounds=["iwae:9"]
    ).to_dict()
    calls, unchunked = [], bounds.iwae
    monkeypatch.setattr(
        bounds, "iwae", lambda *args: calls.append(len(args[2])) or unchunked(*args)
    )
    monkeypatch.setattr(bounds, "MEMORY", memory)
    found = evaluate(
        model, sequences, EvaluationConfig(average="sequence"), bounds=["iwae:9"]
    ).to_dict()
    assert len(calls) >= 3
    assert sum(calls) == 27
    assert found["iwae:9"] == pytest.approx(whole["iwae:9"])
    assert found["iwae:9"] == pytest.approx(sum(map(model.log_evidence, sequences)) / 3)


def test_fivo_does_its_sequences_in_chunks_and_refuses_particles_that_do_not_fit(monkeypatch):
    figures = many_paths_case()
    expected, calls, unchunked = figures("fivo:8"), [], bounds.fivo
    monkeypatch.setattr(
        bounds, "fivo", lambda *args, **kw: calls.append(len(args[1].x)) or unchunked(*args, **kw)
    )
    monkeypatch.setattr(bounds, "MEMORY", 2**13)
    found = figures("fivo:8")
    assert {name: found[name] for name in ("elbo", "fivo:8")} == pytest.approx(
        {name: expected[name] for name in ("elbo", "fivo:8")}, rel=1e-5
    )
    assert calls == [1] * 7
    calls.clear()
    # Two sequences' worth of what their particles share.
    monkeypatch.setattr(bounds, "MEMORY", 2**14)
    figures("fivo:1")
    assert max(calls) == 2
    with pytest.raises(
        ValueError, match=r"The particles of fivo:999 would take .* choose at most fivo:"
    ):
        figures("fivo:999")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bounds": ["iwae"]}, "The bound 'iwae' is unknown; choose elbo, iwae:K, fivo:K or ess:K"),
        ({"bounds": ["fivo:0"]}, "'fivo:0' is unknown"),
        ({"repetitions": 0}, "repetitions is 0; at least 1"),
    ],
)
def test_what_is_no_bound_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        evaluate(LinearSRNN(), [SHORT], EvaluationConfig(), **options)
