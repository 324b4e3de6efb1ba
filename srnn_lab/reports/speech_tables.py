"""Tables of speech: the paper's Table 1 and Figure 3, and what z knows of phones."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from srnn_lab.analysis.event_kinds import EVENT_KINDS
from srnn_lab.data.kinds import LogMel
from srnn_lab.reports.places import FRAMES, MODELS, SPEECH, told_as
from srnn_lab.reports.records import Result
from srnn_lab.reports.table import (
    UNTRAINED,
    Cell,
    Figure,
    Results,
    Table,
    described,
    figure_of,
    gain,
    half_seconds,
    published_figures,
    rows_of,
    table_of,
)


def table1(results: Results) -> list[Table]:
    """The paper's Table 1 beside the same models on free speech."""
    published = published_figures()["speech"]
    rows = []
    for name, label in SPEECH.items():
        paper = published["values"][name]
        voice = figure_of(rows_of(results, f"table1/voice/{name}"), "elbo", half_seconds)
        voices = figure_of(rows_of(results, f"table1/voices/{name}"), "elbo")
        rows.append(
            (
                label,
                Figure(paper["blizzard"]),
                voice,
                Figure(paper["timit"]),
                voices,
                f"table1/SET/{name}",
            )
        )
    header = (
        "model",
        "Blizzard (paper), nats per 0.5 s",
        "voice (ours), nats per 0.5 s",
        "TIMIT (paper), nats per utterance",
        "voices (ours), nats per utterance",
        "row",
    )
    caption = (
        f"ELBO, first frame not scored. Blizzard and TIMIT: {published['source']}, average over "
        "chunks or utterances. voice: one voice in place of Blizzard, whole utterances, all nats "
        "over all seconds. voices: five voices in place of TIMIT, average over utterances. SET is "
        "voice or voices. Numbers on different data are not comparable; their order may be."
    )
    later = Table(
        "Table 1: published later, numbers not seen",
        "These models of Blizzard and TIMIT were published after the SRNN. Their abstracts were "
        "read, but the pages with their numbers (nats per chunk and utterance, average, first "
        "frame) could not be opened, so no number is repeated here.",
        ("model", "Blizzard", "TIMIT", "source"),
        tuple((entry["model"], None, None, entry["source"]) for entry in published["later"]),
    )
    return [table_of("Table 1, on free speech", caption, header, rows), later, *_by_data(results)]


def _by_data(results: Results) -> list[Table]:
    """Every model of one reader and one telephone voice, best first, with untrained densities."""
    header = (
        "model",
        "output",
        "parameters",
        "epochs",
        "nats per 0.5 s, all frames",
        "active frames",
        "above SRNN smooth+Res_q",
        "KL per frame",
        "row",
    )
    tables = []
    for data in ("reader", "voice"):
        found = [
            r
            for row, r in results.items()
            if row.startswith((f"outputs/{data}/", f"table1/{data}/"))
        ]
        if not found:
            continue
        frames = half_seconds(found[0])
        base = results.get(f"table1/{data}/srnn-smooth-res")
        lines: list[tuple[float, tuple[Cell, ...]]] = []
        # A line for each record.
        for r in found:
            scaled = [figure_of([r], name, half_seconds) for name in ("elbo", "elbo_active")]
            above = _above(r.sums, base, r.data_sha256, frames) if r is not base else None
            kl = f"{nats:.2f}" if (nats := r.figures.get("kl")) else None
            cells = (
                _named(r),
                r.config.model.likelihood,
                *described([r]),
                *scaled,
                above,
                kl,
                r.row,
            )
            lines.append((r.figures["elbo"], cells))
        # A line for each density that needs no training.
        for one in json.loads(UNTRAINED.read_text(encoding="utf-8")):
            if one["data"] != data:
                continue
            density, _, output = one["density"].partition(", ")
            nothing = [0.0] * len(one["sums"])
            whole = _scaled(gain(one["sums"], nothing, one["lengths"]), frames)
            active = Figure(one["elbo_active"] * frames)
            above = _above(one["sums"], base, one["data_sha256"], frames)
            source = f"python -m srnn_lab.reports.untrained {data}"
            lines.append(
                (
                    one["elbo"],
                    (
                        f"untrained: {density}",
                        output,
                        None,
                        None,
                        whole,
                        active,
                        above,
                        None,
                        source,
                    ),
                )
            )
        lines.sort(key=lambda line: -line[0])
        caption = (
            f"{told_as(data, 'test', 'micro', False)}; nats per half a second ({frames:g} frames "
            "of 200 samples). Active: frames whose level is above 1 % of the clip's largest. "
            "Above SRNN smooth+Res_q (with independent samples): the difference on the same "
            "sequences; its error is that of the differences. srnn-lab reproduce ROW prints the "
            "options of a row."
        )
        tables.append(
            table_of(
                f"Table 1 on {data}: models and outputs",
                caption,
                header,
                (cells for _, cells in lines),
                2,
            )
        )
    return tables


def _named(result: Result) -> str:
    """A model in the words of the paper."""
    model = result.config.model
    names = (name for name in SPEECH if result.row.split("/")[2].startswith(name))
    return next((SPEECH[name] for name in names), model.model.upper())


def _above(sums: Sequence[float], base: Result | None, data: str, frames: float) -> Figure | None:
    """How far above the base, where both are known of the same sequences."""
    if base is None or not sums or not base.sums or base.data_sha256 != data:
        return None
    return _scaled(gain(sums, base.sums, base.lengths), frames)


def _scaled(figure: Figure, factor: float) -> Figure:
    return replace(
        figure,
        value=float(figure.value) * factor,
        se=None if figure.se is None else figure.se * factor,
    )


def figure3(results: Results) -> list[Table]:
    """Whether the KL rises at transitions (the paper's Figure 3).

    Returns:
        Tables of each model, along training, and of what was tried.
    """
    # Each record in the table that its name asks for.
    trained, training, tried, followed = [], [], [], set()
    order = [*FRAMES, *MODELS]
    rows = [row for row in results if row.startswith("figure3/")]
    for row in sorted(
        rows,
        key=lambda row: [order.index(p) if p in order else len(order) for p in row.split("/")[1:3]],
    ):
        _, frames, model, *how = row.split("/")
        result = results[row]
        f = result.figures
        measured = (
            f"{f['auc']:.3f}",
            f"{f['null_mean']:.3f} ± {f['null_sd']:.3f}",
            f"{100 * f['shifts_better']:.1f}",
            f"{f['splice']:.3g}",
            f"{f['uncut']:.3g}",
            f"{100 * f['splice_larger']:.0f}",
            result.sequences,
            row,
        )
        what = (FRAMES[frames], MODELS.get(model, model))
        if how and how[0].startswith("tried-"):
            base = results.get(f"figure3/{frames}/{model}")
            changed = result.config.differences(base.config) if base else {}
            tried.append(
                (*what, ", ".join(f"{k} {v}" for k, v in changed.items()) or "–", *measured)
            )
            continue
        training.append((*what, result.config.train.epochs, *measured))
        if how:
            followed.add(what)
        else:
            trained.append((*what, *measured))
    # The tables, those without a row left out.
    header = (
        "frames",
        "model",
        "AUC",
        "null",
        "shifts as large, %",
        "splice, nats",
        "uncut, nats",
        "larger in, %",
        "clips",
        "row",
    )
    caption = (
        "Test split, 8 posterior paths. AUC: the KL of frames within 2 of an onset (a peak of the "
        "spectral flux) against the other active frames; for notes, the KL of frames in which the "
        "chord changes against the others. Null: mean ± standard deviation over 1,000 circular "
        "shifts, and how many of them reach the AUC. Splice: largest KL within 2 frames of the "
        "point where two half clips are spliced, against the same frames before the cut."
    )
    tables = [Table("Figure 3, measured: the KL at transitions", caption, header, tuple(trained))]
    if (by_kind := _areas_table(results)).rows:
        tables.insert(0, by_kind)
    if followed:
        rows = sorted(
            (cells for cells in training if cells[:2] in followed), key=lambda cells: cells[:3]
        )
        caption = "The same measurements, of models after a few epochs and after all epochs."
        tables.append(
            Table(
                "Figure 3, measured: along training", caption, _with(header, "epochs"), tuple(rows)
            )
        )
    if tried:
        caption = (
            "The same measurements, of models that were trained differently from those of the "
            "tables above; changed says in what."
        )
        tables.append(
            Table(
                "Figure 3, measured: what was tried",
                caption,
                _with(header, "changed"),
                tuple(tried),
            )
        )
    return tables


def _areas_table(results: Results) -> Table:
    """The KL at each kind of event, of the models after all epochs, for which they are recorded."""
    rows = []
    for row, result in results.items():
        place = row.split("/")
        if place[0] != "figure3" or len(place) != 3:
            continue
        what = FRAMES[place[1]], MODELS.get(place[2], place[2])
        for kind, title in EVENT_KINDS.items():
            areas = [_area(result, f"{kind}/{column}/") for column in _AREAS]
            if known := [area for area in areas if area]:
                null = max(area["null_sd"] for area in known)
                cells = [_area_text(area) for area in areas]
                rows.append((*what, title, int(known[0]["events"]), *cells, f"{null:.3f}", row))
    order = [*FRAMES.values(), *EVENT_KINDS.values(), *MODELS.values()]
    rows.sort(
        key=lambda cells: [
            order.index(cells[i]) if cells[i] in order else len(order) for i in (0, 2, 1)
        ]
    )
    header = ("frames", "model", "event", "events", *_AREAS.values(), "null, sd", "row")
    caption = (
        "Test split, 8 posterior paths. AUC: the probability that the KL of a frame at an event "
        "exceeds that of another, over the frames of all clips; in brackets its mean over clips ± "
        "standard error. A frame is at an event if it is the frame of the event (frame) or within "
        "2 frames of it (within 2); it is compared with all frames (all) or with those that are "
        "not silent (active). The null, over 1,000 circular shifts, has a mean of ½ and at most "
        "the standard deviation in the column null, sd. Sound sets in after, or ends before, 50 ms "
        "below 1 % of the clip's largest level; an onset is a peak of the spectral flux; "
        "boundaries of phones are those of an automatic alignment."
    )
    return Table("Figure 3, measured: by kind of event", caption, header, tuple(rows))


_AREAS = {
    "all/0": "frame, all",
    "all/2": "within 2, all",
    "active/0": "frame, active",
    "active/2": "within 2, active",
}
"""Which frames count and how near to an event -> the title of its column."""


def _area(result: Result, place: str) -> dict[str, float]:
    """The figures of one area by their names in ``event_areas.Area``, or none."""
    return {
        key[len(place) :]: value for key, value in result.figures.items() if key.startswith(place)
    }


def _area_text(area: Mapping[str, float]) -> str | None:
    if not area:
        return None
    by_clip = (
        f"{area['by_clip']:.2f} ± {area['by_clip_se']:.2f}" if "by_clip_se" in area else "one clip"
    )
    return f"{area['auc']:.3f} ({by_clip})"


def probe(results: Results) -> list[Table]:
    """What a linear classifier tells of the phones from the states of each model."""
    header = ("model", "trained on", "frames", "likelihood", *PROBED, "row")
    rows = []
    for row, result in results.items():
        if row.startswith("probe/"):
            f, config = result.figures, result.config
            known = [name if f"{name}/accuracy" in f else None for name in PROBED]
            cells = [
                name and f"{100 * f[f'{name}/accuracy']:.1f} ({100 * f[f'{name}/macro_f1']:.1f})"
                for name in known
            ]
            how = config.data.data, config.data.features, config.model.likelihood
            rows.append((row.partition("/")[2], *how, *cells, row))
    caption = (
        "reader (test). Accuracy of the phone of a frame, %, and in brackets macro F1, %, of a "
        "linear classifier (multinomial logistic regression) trained on 10 minutes of training "
        "sentences. z: mean of its posterior; d knows the frames before; log-mel: 80 bins of a "
        "window around the frame, without any model; majority: always the most frequent phone, a "
        "pause."
    )
    return [Table("What the states know about the phones", caption, header, tuple(rows))]


PROBED = ("z", "d", "z and d", LogMel.name, "majority")
"""What a probe reads."""


def _with(header: tuple[str, ...], column: str) -> tuple[str, ...]:
    """A header with another column after the first two."""
    return (*header[:2], column, *header[2:])
