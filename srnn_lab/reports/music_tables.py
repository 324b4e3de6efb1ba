"""Tables of music: the paper's Table 2, its family, objectives, the field."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from srnn_lab.reports.places import BOUNDS, FIELD, MODELS, MUSIC, OURS, PLACES, SETS, SPEECH, TSBN
from srnn_lab.reports.table import (
    OF_SET,
    Cell,
    Figure,
    Results,
    Table,
    caption_of,
    described,
    each,
    figure_of,
    half_seconds,
    published_figures,
    rows_of,
    table_of,
)


def family(results: Results) -> list[Table]:
    """Every model on both versions of JSB chorales."""
    tables = []
    for place in ("family/fraccaro-jsb", "family/bl-jsb"):
        data, convention = PLACES[place]
        rows = []
        for name, label in MODELS.items():
            found = rows_of(results, f"{place}/{name}")
            figures = [figure_of(found, bound) for bound in BOUNDS]
            rows.append((label, *described(found), *figures, f"{place}/{name}"))
        header = ("model", "parameters", "epochs", *BOUNDS.values(), "row")
        tables.append(table_of(f"The family on {data}", caption_of(data, convention), header, rows))
    return tables


def fivo(results: Results) -> list[Table]:
    """What training on FIVO gains over training on the ELBO."""
    data, convention = PLACES["fivo/bl-jsb"]
    rows = []
    for name, label, with_elbo in (
        ("srnn", MODELS["srnn-smooth-res"], "srnn-smooth-res"),
        ("vrnn", "VRNN", "vrnn"),
    ):
        base = None
        for row in (f"family/bl-jsb/{with_elbo}", f"fivo/bl-jsb/{name}"):
            found = rows_of(results, row)
            objective = each(result.config.train.bound for result in found)
            figures = [figure_of(found, bound) for bound in BOUNDS]
            gain = _gain(figures[-1], base) if base and figures[-1] else None
            rows.append((label, objective, *described(found), *figures, gain, row))
            base = figures[-1]
    header = (
        "model",
        "trained on",
        "parameters",
        "epochs",
        *BOUNDS.values(),
        "gain in FIVO-128",
        "row",
    )
    caption = (
        f"{caption_of(data, convention)} The error of a gain is computed as if its two numbers "
        "were independent, which they are not."
    )
    return [table_of("Training on FIVO", caption, header, rows)]


def _gain(after: Figure, before: Figure) -> Figure:
    se = None if after.se is None or before.se is None else math.hypot(after.se, before.se)
    return Figure(float(after.value) - float(before.value), se)


def objectives(results: Results) -> list[Table]:
    """Each model trained on the ELBO, on FIVO and by NASMC, with few particles and with many."""
    tables = []
    for place in ("objectives/bl-jsb", "objectives/bl-nottingham"):
        data, convention = PLACES[place]
        rows = []
        for name in ("vrnn", "storn", "srnn-filt"):
            for objective in ("elbo", "fivo:8", "nasmc:8", "fivo:64", "nasmc:64"):
                row = f"{place}/{name}/{objective.replace(':', '-')}"
                found = rows_of(results, row)
                figures = [figure_of(found, bound) for bound in BOUNDS]
                share = figure_of(found, "ess:128", lambda _: 100)
                rows.append((MODELS[name], objective, *described(found), *figures, share, row))
        header = (
            "model",
            "trained by",
            "parameters",
            "epochs",
            *BOUNDS.values(),
            "effective particles, %",
            "row",
        )
        caption = (
            f"{caption_of(data, convention)} Effective particles: effective sample size of 128 "
            "particles by the weights of one frame alone; the more there are, the better the "
            "posterior works as a proposal."
        )
        tables.append(table_of(f"Objectives on {data}", caption, header, rows, labels=2))
    return tables


def table2(results: Results) -> list[Table]:
    """The paper's Table 2: its SRNN beside ours, and its other rows as printed."""
    header = ("model", *SETS.values(), "source or row")
    published = [
        entry for entry in published_figures()["music"] if entry["source"] == "SRNN paper, Table 2"
    ]
    rows = [_music_row(entry) for entry in published if entry["data"] == "fraccaro"]
    for place, label in OURS.items():
        rows.append(
            (
                label,
                *(figure_of(rows_of(results, f"{place}/{name}"), "elbo") for name in SETS),
                f"{place}/SET",
            )
        )
    caption = f"{caption_of('fraccaro/SET', MUSIC)} ELBO, one sampled path. {OF_SET}"
    theirs = [_music_row(entry) for entry in published if entry["model"] == "TSBN"]
    ours = (
        "TSBN (ours)",
        *(figure_of(rows_of(results, f"tsbn/{name}"), "elbo") for name in SETS),
        "tsbn/SET",
    )
    others = [
        _music_row(entry)
        for entry in published
        if entry["data"] != "fraccaro" and entry["model"] != "TSBN"
    ]
    not_known = (
        "These numbers are quoted from the paper. They are of another version of the data or of "
        "one that is not known, with bounds and averages of their own, so none of them compares "
        "with the tables above. Nats per frame."
    )
    return [
        table_of("Table 2: SRNN, on its authors' version of the data", caption, header, rows),
        table_of(
            "Table 2: TSBN, on the version of the data that it was published on",
            f"{caption_of('bl/SET', TSBN)} ELBO, one sampled path. {OF_SET}",
            header,
            [*theirs, ours],
        ),
        table_of("Table 2: the paper's other rows", not_known, (*header[:-1], "source"), others),
    ]


def systems(results: Results) -> list[Table]:
    """Every system of the paper's tables, what it is here, and whether the numbers compare."""
    published, rows = published_figures(), []
    for entry in published["music"]:
        if entry["source"] == "SRNN paper, Table 2":
            here, row, bound, compares = SYSTEMS[entry["model"]]
            found = [figure_of(rows_of(results, row.replace("SET", name)), bound) for name in SETS]
            theirs = [Figure(entry["values"][name]) for name in SETS]
            rows.append((entry["model"], here, compares, _slashed(theirs), _slashed(found), row))
    for name, label in SPEECH.items():
        theirs = [
            Figure(published["speech"]["values"][name][data]) for data in ("blizzard", "timit")
        ]
        units = {"voice": half_seconds, "voices": lambda _: 1}
        found = [
            figure_of(rows_of(results, f"table1/{data}/{name}"), "elbo", unit)
            for data, unit in units.items()
        ]
        likelihood = "gaussian-mixture" if name.endswith("gmm") else "gaussian"
        here = f"{name.split('-')[0]} --likelihood {likelihood}"
        rows.append(
            (
                label,
                here,
                "no: other recordings",
                _slashed(theirs),
                _slashed(found),
                f"table1/SET/{name}",
            )
        )
    header = ("system", "model here", "do they compare?", "published", "ours", "row")
    caption = (
        f"Music (Table 2): {', '.join(SETS.values())}, in nats per frame. Speech (Table 1): "
        "Blizzard (here voice), in nats per 0.5 s, and TIMIT (here voices), in nats per utterance. "
        "Bound, average and whether the first frame is scored are those of the row's own table. "
        f"{OF_SET}"
    )
    return [Table("Every system of the paper", caption, header, tuple(rows), labels=4)]


SYSTEMS = {
    "SRNN smooth+Res_q (paper)": (
        "srnn",
        "table2/SET",
        "elbo",
        "yes: same data, bound and average",
    ),
    "TSBN": ("tsbn", "tsbn/SET", "elbo", "yes: same data, bound and average"),
    "NASMC": (
        "storn --objective nasmc",
        "objectives/bl-SET/storn/nasmc-8",
        "fivo:128",
        "no: their sizes, particles and version of the data are not published",
    ),
    "STORN": (
        "storn",
        "family/bl-SET/storn",
        "iwae:128",
        "nearly: their average is not known, our network is a GRU",
    ),
    "RNN-NADE": (
        "rnn --likelihood nade",
        "systems/bl-SET/rnn-nade",
        "elbo",
        "nearly: their average is not known",
    ),
    "RNN": (
        "rnn",
        "family/bl-SET/rnn",
        "elbo",
        "nearly: their average is not known, our network is a GRU",
    ),
}
"""Published in Table 2 -> model here, its row, the bound (exact without z), and whether the two
compare."""


def _slashed(figures: Iterable[Figure | None]) -> str | None:
    """Several numbers in one cell, or nothing where none is recorded."""
    figures = list(figures)
    if not any(figures):
        return None
    return " / ".join("–" if f is None else f"{Figure(f.value)}" for f in figures)


def _music_row(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    source = "; ".join(filter(None, [entry["source"], entry["note"]]))
    return (
        entry["model"],
        *(Figure(entry["values"][s]) if s in entry["values"] else None for s in SETS),
        source,
    )


def field(results: Results) -> list[Table]:
    """The SRNN against published results on the music's standard version, a table a bound."""
    # What was published, apart from what is only recalled.
    printed = [entry for entry in published_figures()["music"] if entry["data"] == "bl"]
    published = [entry for entry in printed if not entry["recalled"]]
    recalled = [entry for entry in printed if entry["recalled"]]
    titles = {
        "elbo": ("elbo", "lower bounds (ELBO)"),
        "importance sampling": ("iwae:128", "importance sampling (ours: IWAE-128)"),
        "fivo:128": ("fivo:128", "particle filters (FIVO-128)"),
        "exact": ("", "exact log-likelihoods, to which a lower bound may be compared"),
    }
    ours = {
        "bernoulli": "SRNN (ours), factorised output",
        "nade": "SRNN (ours), autoregressive output",
    }
    # A table for each bound, ours below theirs.
    tables = []
    for bound, (measured, title) in titles.items():
        rows = [_music_row(entry) for entry in published if entry["bound"] == bound]
        for name, label in ours.items() if measured else ():
            figures = [
                figure_of(rows_of(results, f"field/{data}/{name}"), measured) for data in SETS
            ]
            rows.append((label, *figures, f"field/SET/{name}"))
        caption = (
            f"{caption_of('bl/SET', FIELD)} If the average of a published result is not known, its "
            f"source says so. {OF_SET}"
        )
        header = ("model", *SETS.values(), "source or row" if measured else "source")
        tables.append(
            table_of(
                f"Compared with published results, on Boulanger-Lewandowski's version: {title}",
                caption,
                header,
                rows,
            )
        )
    # The table of what is recalled.
    rows = [(f"{entry['model']} ({entry['bound']})", *_music_row(entry)[1:]) for entry in recalled]
    caption = (
        "These numbers were not looked up, because their publications could not be opened. bl/SET "
        "(test); nats per frame; average and first frame are as above, as far as is known."
    )
    title = "Compared with published results: recalled, not looked up"
    tables.append(Table(title, caption, ("model (bound)", *SETS.values(), "source"), tuple(rows)))
    return tables
