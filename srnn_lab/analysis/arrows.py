"""What reads what, asked of a model: the arrows of the paper's Figure 4, and three questions."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from srnn_lab.config import ModelConfig
from srnn_lab.models import SequenceModel, State, build_model

SIZES = {"x_dim": 3, "d_dim": 4, "z_dim": 2, "hidden_dim": 5}
QUESTIONS = ("does z follow z?", "does d read z?", "what may q see?")
_PLACES = {"u": (0.0, 0), "d": (0.0, 1), "z": (0.0, 2), "x": (0.35, 3)}
"""Of a frame's nodes; x stands aside, so that the arrow from d to x passes z."""


@dataclass(frozen=True)
class Arrows:
    """Who reads whom at frame t, where ``z_t-1`` and ``d_t-1`` are those of the frame before.

    Attributes:
        generative: Pairs of names, from and to.
        posterior: What q(z_t) reads; ``x_t+1`` stands for the future.
    """

    generative: tuple[tuple[str, str], ...]
    posterior: tuple[str, ...]

    @property
    def answers(self) -> tuple[str, str, str]:
        """To ``QUESTIONS``."""
        if not any("z_t" in pair for pair in self.generative):
            return "there is no z", "", ""
        follows, through_d = ("z_t-1", "z_t") in self.generative, {("z_t-1", "d_t"), ("d_t", "z_t")}
        reads = any((z, "d_t") in self.generative for z in ("z_t-1", "z_t"))
        has_d = any("d_t" in pair for pair in self.generative)
        return (
            "yes" if follows else "through d" if through_d <= set(self.generative) else "no",
            "yes" if reads else "no" if has_d else "there is no d",
            "the future" if "x_t+1" in self.posterior else "the past",
        )

    def graph(self) -> tuple[dict[str, tuple[float, int]], list[tuple[str, str]]]:
        """Two frames for ``pictures.charts.graph_figure``: nodes with their places, and edges."""
        before = {"u_t": "u_t-1", "d_t": "d_t-1", "z_t": "z_t-1", "x_t": "x_t-1"}
        edges = list(self.generative)
        edges += [(before[a], before[b]) for a, b in self.generative if a in before]
        named = {name for pair in edges for name in pair}
        nodes = {
            name: (column + dx, y)
            for column, names in enumerate((before.values(), before))
            for name, (dx, y) in zip(names, _PLACES.values(), strict=True)
            if name in named
        }
        return nodes, edges


@torch.no_grad()
def arrows(**settings: object) -> Arrows:
    """A model's arrows: what changes when one thing alone does, in a small one with random weights.

    Args:
        settings: Of ``ModelConfig``: ``model``, and those of a variant.

    Returns:
        Pairs (from, to) of the generative model, and the names that the posterior of z_t reads.
    """
    torch.manual_seed(0)
    model = (
        build_model(ModelConfig(**{"likelihood": "gaussian", **SIZES, **settings})).double().eval()
    )
    draw = {
        name: torch.randn(2, 1, size, dtype=torch.float64) for name, size in _sizes(model).items()
    }
    found = _changing(lambda v: _frame(model, v), draw, ("u_t", "d_t-1", "z_t-1", "z_t"))
    at_first = _changing(lambda v: _frame(model, v, first=True), draw, ("z_t",))
    pairs = [
        (a, "d_t") for a in ("u_t", "d_t-1", "z_t-1", "z_t") if a in found["d"] | at_first["d"]
    ]
    # What the prior reads, it reads through d_t where d_t reads that.
    pairs += [("z_t-1", "z_t")] * ("z_t-1" in found["prior"] - found["d"])
    pairs += [("d_t", "z_t")] * bool(found["prior"] & {"u_t", "d_t-1"})
    emitted = _changing(lambda v: {"x": _emission(model, v)}, draw, ("d_t", "z_t"))
    pairs += [(a, "x_t") for a in ("d_t", "z_t") if a in emitted["x"]]
    names = ("z_t-1", "d_t", "x_t-1", "x_t", "x_t+1")
    read = set().union(
        *(
            _changing(lambda v, t=t: {"q": _posterior(model, v, t)}, draw, names)["q"]
            for t in (0, 1)
        )
    )
    if {("z_t-1", "d_t")} <= set(pairs) and "d_t" in read:
        read.discard("z_t-1")
    return Arrows(tuple(pairs), tuple(name for name in names if name in read))


def _sizes(model: SequenceModel) -> dict[str, int]:
    """Values of what is drawn; of a d, those of the u that leads to it."""
    x, z = model.config.x_dim, model.z_dim
    names = ("u_t", "d_t-1", "d_t", "x_t-1", "x_t", "x_t+1", "z_t-1", "z_t")
    return {name: z if name[0] == "z" else x for name in names}


def _reached(model: SequenceModel, u: Tensor) -> Tensor:
    """A d that a frame with this u leaves."""
    return _step(model, u, model.initial_state(1), u.new_zeros(1, model.z_dim))[0].d


def _step(model: SequenceModel, u: Tensor, state: State, noise: Tensor) -> tuple:
    context = model.encode(u[:, None], None, torch.tensor([1]), state)
    return model.step(state, {name: values[:, 0] for name, values in context.items()}, noise)


def _frame(
    model: SequenceModel, values: dict[str, Tensor], *, first: bool = False
) -> dict[str, Tensor]:
    """d_t and the prior of z_t, where z_t is drawn by a noise, at the first or a later frame."""
    before = (
        model.initial_state(1)
        if first
        else State(_reached(model, values["d_t-1"]), values["z_t-1"])
    )
    state, prior, _ = _step(model, values["u_t"], before, values["z_t"])
    return {"d": state.d, "prior": torch.cat(tuple(prior), -1)}


def _emission(model: SequenceModel, values: dict[str, Tensor]) -> Tensor:
    d = _reached(model, values["d_t"])
    return model.decode(d[:, None], values["z_t"][:, None])


def _posterior(model: SequenceModel, values: dict[str, Tensor], last: int) -> Tensor:
    """The posterior of the first (``last`` is 0) or of the second of three frames."""
    x = torch.stack([values[name] for name in ("x_t-1", "x_t", "x_t+1")[1 - last :]], 1)
    u = torch.stack([values[name] for name in ("d_t-1", "d_t", "u_t")[1 - last :]], 1)
    state = model.initial_state(1)
    context = model.encode(u, x, torch.tensor([x.shape[1]]), state)
    for t in range(last + 1):
        context_t = {name: frames[:, t] for name, frames in context.items()}
        state, _, posterior = model.step(state, context_t, values["z_t-1"])
        state = State(state.d, values["z_t-1"])
    return torch.cat(tuple(posterior), -1)


def _changing(
    function: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    draw: dict[str, Tensor],
    names: tuple[str, ...],
) -> dict[str, set[str]]:
    """For each output, the inputs by which it changes when they alone are drawn anew."""
    first = {name: values[0] for name, values in draw.items()}
    before = function(first)
    after = {name: function(first | {name: draw[name][1]}) for name in names}
    return {
        out: {name for name in names if not torch.equal(after[name][out], before[out])}
        for out in before
    }
