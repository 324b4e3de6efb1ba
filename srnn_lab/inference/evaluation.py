"""Bounds of whole data sets, and the only place that reduces them to one number."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from srnn_lab.config import EvaluationConfig, parse_bound
from srnn_lab.data.sequences import Batch, Frames, by_length, make_batch
from srnn_lab.inference.bounds import elbo, fivo, iwae, log_mean, proposal_share
from srnn_lab.models.base import SequenceModel

MEMORY = 2**30
"""Bytes that the paths and particles of an evaluation may take at a time; they are taken in chunks
that fit, of one whole sequence at least."""


@dataclass(frozen=True)
class Score:
    """The scores of a data set under one convention.

    Attributes:
        elbo: The bound, ``log_px - kl``; nats per frame, or per sequence if the average is
            ``sequence``.
        log_px: Its reconstruction term.
        kl: Its KL term.
        frames: Scored frames.
        sequences: Sequences.
        average: ``micro``, ``macro`` or ``sequence``.
        first_frame: Whether x_1 is scored.
        others: Further bounds by name (``iwae:128``), and of each bound two standard errors:
            NAME_se over sequences, which holds the noise of the paths too (two sequences or more),
            and NAME_se_repetitions, over repetitions on the same sequences, of that noise alone
            (two repetitions or more). ``elbo_active`` is the ELBO of the frames that are not
            silent, where they are known.
        sums: ELBO of each sequence, in nats, averaged over repetitions.
        lengths: Scored frames of each sequence.
    """

    elbo: float
    log_px: float
    kl: float
    frames: int
    sequences: int
    average: str
    first_frame: bool
    others: dict[str, float] = field(default_factory=dict)
    sums: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def to_dict(self) -> dict[str, float | int | str]:
        """All scores by name on one level, without those of single sequences."""
        first = {"elbo": self.elbo, "log_px": self.log_px, "kl": self.kl, **self.others}
        return first | {
            k: v for k, v in vars(self).items() if k not in ("others", "sums", "lengths")
        }


def reduce(
    log_px: Float[Tensor, "r n"],
    kl: Float[Tensor, "r n"],
    lengths: Int[Tensor, "n"],
    config: EvaluationConfig,
    others: Mapping[str, Float[Tensor, "r n"]] | None = None,
) -> Score:
    """Average the bounds of sequences, by one convention.

    Args:
        log_px: log p(x | z, d) of each sequence, in nats summed over its frames; a row for each
            repetition.
        kl: The KL, likewise.
        lengths: Scored frames of each sequence.
        config: The convention.
        others: Further bounds by name, likewise.

    Returns:
        The averages, with their standard errors.
    """
    sizes = lengths if config.average == "micro" else torch.ones_like(lengths)
    n = len(lengths)

    def figures(name: str, sums: Tensor) -> dict[str, float]:
        values = sums / lengths if config.average == "macro" else sums
        found = [float(row.sum() / sizes.sum()) for row in values]
        mean = sum(found) / len(found)
        result = {name: mean}
        # That of a ratio of sums; where sizes are 1, the standard deviation over the root of n.
        if n > 1:
            squares = (values.mean(0) - mean * sizes).square().sum() * n / (n - 1)
            result[f"{name}_se"] = float(squares.sqrt() / sizes.sum())
        if len(found) > 1:
            result[f"{name}_se_repetitions"] = (
                float(torch.tensor(found, dtype=torch.float64).std()) / len(found) ** 0.5
            )
        return result

    result = figures("elbo", log_px - kl)
    for name, sums in (others or {}).items():
        result |= figures(name, sums)
    return Score(
        elbo=result.pop("elbo"),
        log_px=figures("log_px", log_px)["log_px"],
        kl=figures("kl", kl)["kl"],
        frames=int(lengths.sum()),
        sequences=n,
        average=config.average,
        first_frame=config.first_frame,
        others=result,
        sums=(log_px - kl).mean(0).tolist(),
        lengths=lengths.tolist(),
    )


@torch.no_grad()
def evaluate(
    model: SequenceModel,
    sequences: Sequence[Frames],
    config: EvaluationConfig,
    *,
    bounds: Sequence[str] = (),
    resampling: str = "systematic",
    resampling_share: float = 0.5,
    repetitions: int = 1,
    seed: int = 0,
    active: Sequence[Bool[np.ndarray, "_"]] | None = None,
    batch_size: int = 32,
    rank: int = 0,
    world_size: int = 1,
) -> Score:
    """Bounds of whole sequences, each from zero states and never cut.

    They are the ELBO with one sampled path, and ``bounds``.

    Several processes share the batches. All of them return the same scores, which do not depend on
    the number of processes.

    Args:
        model: The model.
        sequences: A split of a data set.
        config: Average, and whether the first frame is scored.
        bounds: Further bounds: ``iwae:K`` with K paths, ``fivo:K`` with K particles. ``ess:K`` is
            no bound but the ``proposal_share`` of K particles, averaged as nats are.
        resampling: Of ``fivo``: ``systematic`` or ``multinomial``.
        resampling_share: Of ``fivo``: particles are resampled below this share of K as effective
            sample size.
        repetitions: Evaluations with different noise, which are averaged; at least 1.
        seed: Seed of the sampled paths.
        active: Which frames of each sequence are not silent, for ``elbo_active``; at least one
            scored frame of each.
        batch_size: Sequences side by side.
        rank: This process among those of ``torch.distributed``; batch i is that of process i modulo
            their number.
        world_size: Their number.

    Returns:
        The numbers in nats per frame, or per sequence if ``config`` says so, with their standard
        errors.

    Raises:
        ValueError: ``repetitions`` is below 1, there is no sequence, a bound is unknown, or its
            particles do not fit into memory.
    """
    if repetitions < 1:
        raise ValueError(f"repetitions is {repetitions}; at least 1 is needed.")
    if not len(sequences):
        raise ValueError("There is no sequence to evaluate; give at least one.")
    names = [name for name in dict.fromkeys(bounds) if parse_bound(name)[0] != "elbo"]
    generator = torch.Generator().manual_seed(seed)
    weight = next(model.parameters())
    heard = [torch.as_tensor(frames[config.unscored :]) for frames in active or ()]
    rows = 2 + len(names) + bool(heard)
    sums = torch.zeros(repetitions, rows, len(sequences), dtype=torch.float64)
    lengths = torch.zeros(len(sequences), dtype=torch.int64)
    groups = by_length(sequences, batch_size)
    rounds = [(repetition, i) for repetition in range(repetitions) for i in range(len(groups))]
    with model.evaluating():
        for repetition, i in tqdm(rounds, unit=" batches", delay=2, leave=False, disable=rank > 0):
            chosen = groups[i]
            num_frames = len(sequences[chosen[-1]]) - config.unscored
            # Every process draws the noise of every batch: it does not depend on their number.
            noise = torch.randn(len(chosen), num_frames, model.z_dim, generator=generator)
            if i % world_size != rank:
                continue
            batch = make_batch(
                [sequences[j] for j in chosen], config.first_frame, **model.config.frames_hold
            )
            lengths[chosen] = batch.lengths
            batch = batch.to(weight.device, weight.dtype)
            for part, chunk in in_memory(batch, model):
                bound = elbo(model, chunk, noise=noise[part, : chunk.x.shape[1]].to(weight))
                log_px, kl = bound.log_px.cpu().double(), bound.kl.cpu().double()
                sums[repetition, :2, chosen[part]] = torch.stack([log_px.sum(1), kl.sum(1)])
                for j, nats in zip(chosen[part], log_px - kl, strict=True) if heard else ():
                    sums[repetition, -1, j] = nats[: len(heard[j])][heard[j]].sum()
            for row, name in enumerate(names, 2):
                # Each sequence has noise of its own: its bound depends neither on other sequences
                # nor on how they are divided to fit into memory.
                keys = [
                    np.random.SeedSequence((seed, repetition, j, *name.encode())) for j in chosen
                ]
                generators = [
                    torch.Generator().manual_seed(int(key.generate_state(1)[0])) for key in keys
                ]
                found = _in_chunks(model, batch, generators, name, resampling, resampling_share)
                sums[repetition, row, chosen] = found.cpu().double()
    if world_size > 1:
        whole = torch.cat([sums.flatten(0, 1), lengths[None].double()]).to(weight.device)
        torch.distributed.all_reduce(whole)
        sums, lengths = whole[:-1].view_as(sums).cpu(), whole[-1].cpu().long()
    found = reduce(
        sums[:, 0],
        sums[:, 1],
        lengths,
        config,
        dict(zip(names, sums[:, 2 : 2 + len(names)].unbind(1), strict=True)),
    )
    if heard:
        counts = torch.tensor([int(frames.sum()) for frames in heard])
        of_active = reduce(sums[:, -1], torch.zeros_like(sums[:, -1]), counts, config)
        figures = {"elbo": of_active.elbo, **of_active.others}
        found.others.update(
            {name.replace("elbo", "elbo_active"): value for name, value in figures.items()}
        )
    return found


def in_memory(batch: Batch, model: SequenceModel) -> Iterator[tuple[slice, Batch]]:
    """Sequences, as many as ``MEMORY`` allows a path of each, at least one, and where they are."""
    return _chunks(batch, MEMORY // (batch.x.shape[1] * _width(model) * batch.x.element_size()))


def _width(model: SequenceModel) -> int:
    """Numbers that a model computes for one frame of one path, counted generously."""
    sizes = model.config
    return (
        4 * (sizes.d_dim + sizes.x_dim + model.likelihood.num_params)
        + 10 * model.z_dim
        + 20 * sizes.hidden_dim
    )


def _chunks(batch: Batch, num: int) -> Iterator[tuple[slice, Batch]]:
    """``num`` sequences at a time, at least one, without the frames that none of them has."""
    for start in range(0, len(batch.x), max(1, num)):
        part = slice(start, start + max(1, num))
        longest = int(batch.lengths[part].max())
        yield part, Batch(batch.x[part, :longest], batch.u[part, :longest], batch.lengths[part])


def _in_chunks(
    model: SequenceModel,
    batch: Batch,
    generators: Sequence[torch.Generator],
    name: str,
    resampling: str,
    resampling_share: float,
) -> Float[Tensor, "b"]:
    """A bound of each sequence, with as many side by side as ``MEMORY`` allows.

    For ``iwae``, that goes for paths as well.

    Returns:
        The bound in nats; of ``ess``, the sum over the frames of the shares of particles.

    Raises:
        ValueError: The particles do not fit into twice ``MEMORY``.
    """
    kind, paths = parse_bound(name)
    frames, width = batch.x.shape[1], _width(model)
    # A particle holds one frame and its noise for all, beside what all of them share; a path holds
    # all frames.
    of_all = batch.x.element_size() * frames * width
    of_one = batch.x.element_size() * (width + frames * model.z_dim) if kind != "iwae" else of_all
    at_once = MEMORY // of_one
    if kind != "iwae" and paths > 2 * at_once:
        raise ValueError(
            f"The particles of {name} would take {paths * of_one / 2**30:.1f} GB for a sequence "
            f"of {frames} frames, and {2 * MEMORY / 2**30:.0f} GB are allowed; choose at most "
            f"{kind}:{2 * at_once}."
        )
    found = []
    for part, chunk in _chunks(batch, MEMORY // (of_all + paths * of_one)):
        if kind != "iwae":
            noise = _draw_each(torch.randn, chunk, generators[part], paths, model.z_dim)
            numbers = paths if resampling == "multinomial" else 1
            uniforms = _draw_each(torch.rand, chunk, generators[part], 1, numbers)
            shares: list[Tensor] = []
            see = (
                (lambda frame, seen=shares: seen.append(proposal_share(frame)))
                if kind == "ess"
                else lambda _: None
            )
            value = fivo(
                model, chunk, noise, uniforms, resampling_share=resampling_share, see=see
            ).value
            found.append((torch.stack(shares, 1) * chunk.mask).sum(1) if kind == "ess" else value)
        else:
            counts = [min(at_once or 1, paths - done) for done in range(0, paths, at_once or 1)]
            noises = (
                torch.cat(
                    [
                        _draw_each(torch.randn, chunk, generators[part], 1, model.z_dim)
                        for _ in range(count)
                    ]
                )
                for count in counts  # path by path, so that no path's noise depends on the division
            )
            found.append(
                log_mean(torch.cat([iwae(model, chunk, noise).log_weights for noise in noises]))
            )
    return torch.cat(found)


def _draw_each(
    draw: Callable[..., Tensor],
    batch: Batch,
    generators: Sequence[torch.Generator],
    paths: int,
    size: int,
) -> Float[Tensor, "n t m"]:
    """What ``paths`` paths through each sequence are drawn with, from a generator for each."""
    pairs = zip(batch.lengths.tolist(), generators, strict=True)
    drawn = [draw(length, paths, size, generator=generator) for length, generator in pairs]
    return pad_sequence(drawn, batch_first=True).permute(2, 0, 1, 3).flatten(0, 1).to(batch.x)
