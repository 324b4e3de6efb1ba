import numpy as np
import pytest
import torch
from linear_gaussian import LinearSRNN

from srnn_lab.config import CONVENTIONS, EvaluationConfig, ModelConfig
from srnn_lab.data import make_batch
from srnn_lab.inference import evaluation
from srnn_lab.inference.bounds import draw_noise, elbo
from srnn_lab.inference.evaluation import evaluate, reduce
from srnn_lab.inference.sampling import generate
from srnn_lab.inference.use_of_z import use_of_z
from srnn_lab.models import build_model

SEQUENCE = np.random.default_rng(0).normal(size=(12, 2))
SHORT = SEQUENCE[:3]


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


def of_seven_lengths():
    """A small model, and a sequence of each of seven lengths."""
    torch.manual_seed(0)
    model = build_model(ModelConfig(x_dim=3, d_dim=4, z_dim=2, hidden_dim=5))
    lengths = [4, 9, 2, 6, 3, 7, 5]
    sequences = [
        np.random.default_rng(i).integers(0, 2, (n, 3)).astype(np.float32)
        for i, n in enumerate(lengths)
    ]
    return model, sequences


@pytest.mark.slow
def test_processes_share_the_batches_and_the_figure_does_not_depend_on_their_number(monkeypatch):
    model, sequences = of_seven_lengths()

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
    model, sequences = of_seven_lengths()

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
    monkeypatch.setattr(evaluation, "MEMORY", memory)  # the longer ones' paths need more
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
    calls, unchunked = [], evaluation.iwae
    monkeypatch.setattr(
        evaluation, "iwae", lambda *args: calls.append(len(args[2])) or unchunked(*args)
    )
    monkeypatch.setattr(evaluation, "MEMORY", memory)
    found = evaluate(
        model, sequences, EvaluationConfig(average="sequence"), bounds=["iwae:9"]
    ).to_dict()
    assert len(calls) >= 3
    assert sum(calls) == 27
    assert found["iwae:9"] == pytest.approx(whole["iwae:9"])
    assert found["iwae:9"] == pytest.approx(sum(map(model.log_evidence, sequences)) / 3)


def test_fivo_does_its_sequences_in_chunks_and_refuses_particles_that_do_not_fit(monkeypatch):
    figures = many_paths_case()
    expected, calls, unchunked = figures("fivo:8"), [], evaluation.fivo
    monkeypatch.setattr(
        evaluation,
        "fivo",
        lambda *args, **kw: calls.append(len(args[1].x)) or unchunked(*args, **kw),
    )
    monkeypatch.setattr(evaluation, "MEMORY", 2**13)
    found = figures("fivo:8")
    assert {name: found[name] for name in ("elbo", "fivo:8")} == pytest.approx(
        {name: expected[name] for name in ("elbo", "fivo:8")}, rel=1e-5
    )
    assert calls == [1] * 7
    calls.clear()
    # Two sequences' worth of what their particles share.
    monkeypatch.setattr(evaluation, "MEMORY", 2**14)
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


def test_no_sequence_and_no_path_are_refused():
    """A score of NaN or an error of a reshape would be the answer."""
    model = build_model(ModelConfig(x_dim=2, d_dim=4, z_dim=2, hidden_dim=4))
    with pytest.raises(ValueError, match="no sequence to evaluate"):
        evaluate(model, [], CONVENTIONS["field-music"])
    with pytest.raises(ValueError, match="no sequence to look at"):
        use_of_z(model, [], CONVENTIONS["field-music"])
    batch = make_batch([np.zeros((3, 2), np.float32)])
    with pytest.raises(ValueError, match="0 paths through a sequence"):
        draw_noise(model, batch, paths=0)
    with pytest.raises(ValueError, match="batch_size is 0; at least 1 must be drawn"):
        generate(model, 3, batch_size=0)
