"""Tables made of the recorded and the published results; no column mixes conventions."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from srnn_lab.analysis.event_kinds import EVENT_KINDS
from srnn_lab.config import CONVENTIONS, EvaluationConfig
from srnn_lab.data.kinds import LogMel
from srnn_lab.reports.records import Result, check_row

_PUBLISHED = Path(__file__).parent / "published.json"
SETS = {"nottingham": "Nottingham", "jsb": "JSB chorales", "muse": "MuseData", "piano": "Piano-midi.de"}
MODELS = {
    "rnn": "RNN (exact)",
    "vrae": "VRAE",
    "storn": "STORN",
    "vrnn-i": "VRNN-I",
    "vrnn": "VRNN",
    "dkf": "DKF",
    "dkf-tridiagonal": "DKF, one Gaussian as posterior",
    "srnn-tridiagonal": "SRNN, one Gaussian as posterior",
    "srnn-filt": "SRNN filt",
    "srnn-filt-res": "SRNN filt+Res_q",
    "srnn-smooth": "SRNN smooth",
    "srnn-smooth-res": "SRNN smooth+Res_q",
}
SPEECH = {
    **{name: MODELS[name] for name in ("srnn-smooth-res", "srnn-smooth", "srnn-filt-res", "srnn-filt")},
    "vrnn-gmm": "VRNN-GMM",
    "vrnn-gauss": "VRNN-Gauss",
    "vrnn-i-gauss": "VRNN-I-Gauss",
    "rnn-gmm": "RNN-GMM (exact)",
    "rnn-gauss": "RNN-Gauss (exact)",
}
FRAMES = {
    "voice": "200 raw samples",
    "voices": "200 raw samples, five voices",
    "voice-mel": "80 log-mel bins",
    "reader": "200 raw samples, reader",
    "reader-mel": "80 log-mel bins, reader",
    "jsb": "piano roll, fraccaro/jsb",
}
OURS = {
    "table2": "SRNN smooth+Res_q (ours)",
    "table2-reset": "SRNN smooth+Res_q (ours, states reset)",
    "best": "SRNN (ours, best-SET)",
}
BOUNDS = {"elbo": "ELBO", "iwae:128": "IWAE-128", "fivo:128": "FIVO-128"}

_MUSIC, _FIELD = CONVENTIONS["srnn-music"], CONVENTIONS["field-music"]
_VOICE = EvaluationConfig(average="micro", first_frame=False)
_TSBN = EvaluationConfig(average="macro", first_frame=True)
PLACES: dict[str, tuple[str, EvaluationConfig]] = {
    "family/fraccaro-jsb": ("fraccaro/jsb", _MUSIC),
    "family/bl-jsb": ("bl/jsb", _FIELD),
    "fivo/bl-jsb": ("bl/jsb", _FIELD),
    **{f"objectives/bl-{name}": (f"bl/{name}", _FIELD) for name in ("jsb", "nottingham")},
    **{f"{table}/{name}": (f"fraccaro/{name}", _MUSIC) for table in OURS for name in SETS},
    **{f"field/{name}": (f"bl/{name}", _FIELD) for name in SETS},
    **{f"systems/bl-{name}": (f"bl/{name}", _FIELD) for name in SETS},
    **{f"tsbn/{name}": (f"bl/{name}", _TSBN) for name in SETS},
    "table1/voice": ("voice", _VOICE),
    "table1/voices": ("voices", CONVENTIONS["srnn-speech"]),
    "outputs/voice": ("voice", _VOICE),
    "outputs/reader": ("reader", _VOICE),
    "figure3/voice": ("voice", _VOICE),
    "figure3/voice-mel": ("voice", _VOICE),
    "figure3/voices": ("voices", CONVENTIONS["srnn-speech"]),
    "figure3/reader": ("reader", _VOICE),
    "figure3/reader-mel": ("reader", _VOICE),
    "probe": ("reader", _VOICE),
    "figure3/jsb": ("fraccaro/jsb", _MUSIC),
}
"""Beginning of a row's name -> the data and the convention that the tables ask of it, on the test split."""


def check_place(row: str, command: str, data: str, split: str, average: str, first_frame: bool) -> None:
    """Whether a row's name is one, and fits what the row is measured on and with.

    Raises:
        ValueError: It is none, or a table would show the row in a column of another measure, data version or
            convention.
    """
    check_row(row)
    table = row.partition("/")[0]
    measured_by = {"figure3": "transitions", "probe": "probe"}.get(table, "evaluate")
    if command != measured_by and table in {"bundled", *(p.split("/")[0] for p in PLACES)}:
        raise ValueError(f"The row {row} is measured by {command!r}; a table shows another measure there: rename it.")
    if table == "figure3" and not re.fullmatch(
        rf"figure3/({'|'.join(FRAMES)})/[^/]+(/epochs[1-9]\d*|/tried-[^/]+)?", row
    ):
        raise ValueError(
            f"The row is named {row}; the table of Figure 3 has figure3/FRAMES/MODEL, figure3/FRAMES/MODEL/epochsN and "
            f"figure3/FRAMES/MODEL/tried-NAME, with FRAMES one of {', '.join(FRAMES)}."
        )
    for place, (expected, convention) in PLACES.items():
        if row.startswith(f"{place}/") or row == place:
            found = (data, split, average, first_frame)
            if found != (wanted := (expected, "test", convention.average, convention.first_frame)):
                raise ValueError(
                    f"The row {row} is measured on {_convention(*found)}; the tables show a row of this name on "
                    f"{_convention(*wanted)}: choose other options or another --row."
                )


def _convention(data: str, split: str, average: str, first_frame: bool) -> str:
    return f"{data} ({split}), {average} average, first frame {'scored' if first_frame else 'not scored'}"


@dataclass(frozen=True)
class Figure:
    """One number of a table.

    Attributes:
        value: Measured (a float), or published (in the digits of its source).
        se: Standard error over the sequences.
        sd: Standard deviation over training seeds, of which ``value`` and ``se`` are then the averages.
        seeds: How many they are.
        repetitions: Evaluations, each with noise of its own, that ``value`` averages.
    """

    value: float | int | Decimal
    se: float | None = None
    sd: float | None = None
    seeds: int = 1
    repetitions: int = 1

    @property
    def published(self) -> bool:
        """Whether it stands in a publication."""
        return not isinstance(self.value, float)

    def __str__(self) -> str:
        if self.published:
            return f"{self.value}"
        digits = digits_of(float(self.value))
        text = f"{self.value:.{digits}f}"
        text += "" if self.se is None else f" ± {self.se:.{digits}f}"
        notes = [] if self.sd is None else [f"sd {self.sd:.{digits}f}, {self.seeds} seeds"]
        notes += [f"mean of {self.repetitions}"] * (self.repetitions > 1)
        return text + (f" ({'; '.join(notes)})" if notes else "")


def digits_of(value: float) -> int:
    """Digits behind the point that a table prints of a measured figure."""
    return 2 if abs(value) < 100 else 1 if abs(value) < 1000 else 0


Cell = str | int | Figure | None


@dataclass(frozen=True)
class Table:
    """A table to print.

    Attributes:
        title: What it shows.
        caption: On which data, and how its figures are made.
        header: Its columns; the last names the source of a row or the row of ``srnn-lab reproduce``.
        rows: A cell for each column; None where nothing is recorded.
        labels: Columns at the beginning in which nothing is measured here.
    """

    title: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    labels: int = 1

    @property
    def measured(self) -> bool:
        """Whether anything between the labels and the names of the rows was measured here."""
        cells = [cell for row in self.rows for cell in row[self.labels : -1]]
        return any(not cell.published if isinstance(cell, Figure) else cell is not None for cell in cells)

    def text(self) -> str:
        """For a terminal."""
        lines = ["  ".join(row).rstrip() for row in self._padded()]
        return "\n".join([self.title, self.caption, "", *lines])

    def markdown(self) -> str:
        """For GitHub."""
        header, *rows = (f"| {' | '.join(row)} |" for row in self._padded(lambda text: text.replace("|", r"\|")))
        rule = re.sub(r"[^|]", "-", header)
        return "\n".join([f"**{self.title}.** {self.caption}", "", header, rule, *rows])

    def columns(self) -> list[list[str]]:
        """What is printed, column by column below their titles; one in which nothing is recorded is left out."""
        columns = zip(self.header, *self.rows, strict=True)
        filled = (column for column in columns if set(column[1:]) != {None})
        return [["–" if cell is None else f"{cell}" for cell in column] for column in filled]

    def _padded(self, escape: Callable[[str], str] = str) -> list[tuple[str, ...]]:
        columns = [[escape(text) for text in column] for column in self.columns()]
        return list(zip(*([text.ljust(max(map(len, column))) for text in column] for column in columns), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain values; a figure is a number with its standard errors."""

        def plain(cell: Cell) -> Any:
            if not isinstance(cell, Figure):
                return cell
            return {**asdict(cell), "value": float(cell.value), "published": cell.published}

        return {**vars(self), "rows": [[plain(cell) for cell in row] for row in self.rows]}


def _published() -> dict[str, Any]:
    return json.loads(_PUBLISHED.read_text(encoding="utf-8"), parse_float=Decimal)


Results = Mapping[str, Result]


def rows_of(results: Results, place: str) -> list[Result]:
    """A row, and those of other training seeds of the same; SET in its name stands for any set."""
    row = re.escape(place).replace("SET", r"\w+")
    return [result for name, result in results.items() if re.fullmatch(rf"{row}(/seed\d+)?", name)]


def _figure(found: Sequence[Result], bound: str, unit: Callable[[Result], float] = lambda _: 1) -> Figure | None:
    """A bound of a row, averaged over its seeds; ``unit`` turns nats per frame into another unit."""
    found = [result for result in found if bound in result.figures]
    values = [result.figures[bound] * unit(result) for result in found]
    errors = [result.figures[f"{bound}_se"] * unit(result) for result in found if f"{bound}_se" in result.figures]
    if not values:
        return None
    sd = stdev(values) if len(values) > 1 else None
    repeated = min(result.repetitions if f"{bound}_se_repetitions" in result.figures else 1 for result in found)
    return Figure(fmean(values), fmean(errors) if errors else None, sd, len(values), repeated)


def with_means(results: Results) -> Results:
    """Records with means over many evaluations, where ``means/NAME`` has them of the same checkpoint.

    One evaluation draws one path of each sequence, and that noise moves the last digit which a table prints.
    """

    def what(result: Result) -> tuple[object, ...]:
        return result.checkpoint_sha256, result.data_sha256, result.average, result.first_frame

    means = {what(result): result for row, result in results.items() if row.startswith("means/")}
    found = {}
    for row, result in results.items():
        mean = means.get(what(result)) if result.command == "evaluate" else None
        if mean:
            result = replace(result, figures=result.figures | mean.figures, repetitions=mean.repetitions)
        found[row] = result
    return found


def _each(values: Iterable[int | str]) -> str | None:
    """The one value of all seeds, or all values."""
    return ", ".join(f"{value}" for value in sorted(set(values))) or None


def _described(found: Sequence[Result]) -> tuple[str | None, str | None]:
    """Parameters and epochs."""
    return _each(r.parameters for r in found), _each(r.config.train.epochs for r in found)


def _caption(data: str, convention: EvaluationConfig, split: str = "test") -> str:
    unit = "sequence" if convention.average == "sequence" else "frame"
    return f"{_convention(data, split, convention.average, convention.first_frame)}; nats per {unit}."


def _table(title: str, caption: str, header: Sequence[str], rows: Iterable[tuple[Cell, ...]], labels: int = 1) -> Table:
    """A table whose caption also says what its errors are, if it has any."""
    rows = tuple(rows)
    figures = [cell for row in rows for cell in row if isinstance(cell, Figure)]
    errors = " ± standard error over sequences." if any(figure.se is not None for figure in figures) else ""
    spread = " sd: standard deviation over training seeds." if any(figure.sd is not None for figure in figures) else ""
    noise = ""
    if any(not figure.published for figure in figures):
        noise = " Each number is one evaluation, whose sampled paths move its last digit."
    if any(figure.repetitions > 1 for figure in figures):
        noise = (
            " mean of N: of N evaluations, whose noise is below the last digit; other numbers are of one evaluation, "
            "whose sampled paths move theirs."
        )
    return Table(title, caption + errors + spread + noise, tuple(header), rows, labels)


_SET = f"SET is {', '.join(SETS)}."


def family(results: Results) -> list[Table]:
    """Every model on both versions of JSB chorales."""
    tables = []
    for place in ("family/fraccaro-jsb", "family/bl-jsb"):
        data, convention = PLACES[place]
        rows = []
        for name, label in MODELS.items():
            found = rows_of(results, f"{place}/{name}")
            figures = [_figure(found, bound) for bound in BOUNDS]
            rows.append((label, *_described(found), *figures, f"{place}/{name}"))
        header = ("model", "parameters", "epochs", *BOUNDS.values(), "row")
        tables.append(_table(f"The family on {data}", _caption(data, convention), header, rows))
    return tables


def fivo(results: Results) -> list[Table]:
    """What training on FIVO gains over training on the ELBO."""
    data, convention = PLACES["fivo/bl-jsb"]
    rows = []
    for name, label, with_elbo in (("srnn", MODELS["srnn-smooth-res"], "srnn-smooth-res"), ("vrnn", "VRNN", "vrnn")):
        base = None
        for row in (f"family/bl-jsb/{with_elbo}", f"fivo/bl-jsb/{name}"):
            found = rows_of(results, row)
            objective = _each(result.config.train.bound for result in found)
            figures = [_figure(found, bound) for bound in BOUNDS]
            gain = _gain(figures[-1], base) if base and figures[-1] else None
            rows.append((label, objective, *_described(found), *figures, gain, row))
            base = figures[-1]
    header = ("model", "trained on", "parameters", "epochs", *BOUNDS.values(), "gain in FIVO-128", "row")
    caption = f"{_caption(data, convention)} The error of a gain is that of independent numbers, which these are not."
    return [_table("Training on FIVO", caption, header, rows)]


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
                figures = [_figure(found, bound) for bound in BOUNDS]
                share = _figure(found, "ess:128", lambda _: 100)
                rows.append((MODELS[name], objective, *_described(found), *figures, share, row))
        header = ("model", "trained by", "parameters", "epochs", *BOUNDS.values(), "effective particles, %", "row")
        caption = (
            f"{_caption(data, convention)} Effective particles: effective sample size of 128 particles by the weights "
            "of one frame alone; the more, the better the posterior is as a proposal."
        )
        tables.append(_table(f"Objectives on {data}", caption, header, rows, labels=2))
    return tables


def table2(results: Results) -> list[Table]:
    """The paper's Table 2: its SRNN beside ours, and its other rows as printed."""
    header = ("model", *SETS.values(), "source or row")
    published = [entry for entry in _published()["music"] if entry["source"] == "SRNN paper, Table 2"]
    rows = [_music_row(entry) for entry in published if entry["data"] == "fraccaro"]
    for place, label in OURS.items():
        rows.append((label, *(_figure(rows_of(results, f"{place}/{name}"), "elbo") for name in SETS), f"{place}/SET"))
    caption = f"{_caption('fraccaro/SET', _MUSIC)} ELBO, one sampled path. {_SET}"
    theirs = [_music_row(entry) for entry in published if entry["model"] == "TSBN"]
    ours = ("TSBN (ours)", *(_figure(rows_of(results, f"tsbn/{name}"), "elbo") for name in SETS), "tsbn/SET")
    others = [_music_row(entry) for entry in published if entry["data"] != "fraccaro" and entry["model"] != "TSBN"]
    not_known = (
        "As quoted in the paper: another version of the data or one that is not known, bounds "
        "and averages of their own, so none of it compares with the table above. Nats per frame."
    )
    return [
        _table("Table 2: SRNN, on its authors' version of the data", caption, header, rows),
        _table(
            "Table 2: TSBN, on the version of the data that it was published on",
            f"{_caption('bl/SET', _TSBN)} ELBO, one sampled path. {_SET}",
            header,
            [*theirs, ours],
        ),
        _table("Table 2: the paper's other rows", not_known, (*header[:-1], "source"), others),
    ]


def systems(results: Results) -> list[Table]:
    """Every system of the paper's tables, what it is here, and whether the numbers compare."""
    published, rows = _published(), []
    for entry in published["music"]:
        if entry["source"] == "SRNN paper, Table 2":
            here, row, bound, compares = SYSTEMS[entry["model"]]
            found = [_figure(rows_of(results, row.replace("SET", name)), bound) for name in SETS]
            theirs = [Figure(entry["values"][name]) for name in SETS]
            rows.append((entry["model"], here, compares, _slashed(theirs), _slashed(found), row))
    for name, label in SPEECH.items():
        theirs = [Figure(published["speech"]["values"][name][data]) for data in ("blizzard", "timit")]
        units = {"voice": _frames_in_half_a_second, "voices": lambda _: 1}
        found = [_figure(rows_of(results, f"table1/{data}/{name}"), "elbo", unit) for data, unit in units.items()]
        here = f"{name.split('-')[0]} --likelihood {'gaussian-mixture' if name.endswith('gmm') else 'gaussian'}"
        rows.append((label, here, "no: other recordings", _slashed(theirs), _slashed(found), f"table1/SET/{name}"))
    header = ("system", "model here", "do they compare?", "published", "ours", "row")
    caption = (
        f"Of music (Table 2): {', '.join(SETS.values())}, nats per frame. Of speech (Table 1): Blizzard (here voice), "
        "nats per 0.5 s, and TIMIT (here voices), nats per utterance. Bound, average and whether the first frame is "
        f"scored are those of the row's own table. {_SET}"
    )
    return [Table("Every system of the paper", caption, header, tuple(rows), labels=4)]


SYSTEMS = {
    "SRNN smooth+Res_q (paper)": ("srnn", "table2/SET", "elbo", "yes: same data, bound and average"),
    "TSBN": ("tsbn", "tsbn/SET", "elbo", "yes: same data, bound and average"),
    "NASMC": (
        "storn --objective nasmc",
        "objectives/bl-SET/storn/nasmc-64",
        "fivo:128",
        "with nothing: their sizes, particles and version of the data are not published",
    ),
    "STORN": ("storn", "family/bl-SET/storn", "iwae:128", "nearly: their average is not known, our network is a GRU"),
    "RNN-NADE": ("rnn --likelihood nade", "systems/bl-SET/rnn-nade", "elbo", "nearly: their average is not known"),
    "RNN": ("rnn", "family/bl-SET/rnn", "elbo", "nearly: their average is not known, our network is a GRU"),
}
"""Published in Table 2 -> model here, its row, the bound (exact without z), and whether the two compare."""


def _slashed(figures: Iterable[Figure | None]) -> str | None:
    """Several numbers in one cell, or nothing where none is recorded."""
    figures = list(figures)
    if not any(figures):
        return None
    return " / ".join("–" if f is None else f"{Figure(f.value)}" for f in figures)


def _music_row(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    source = "; ".join(filter(None, [entry["source"], entry["note"]]))
    return entry["model"], *(Figure(entry["values"][s]) if s in entry["values"] else None for s in SETS), source


def field(results: Results) -> list[Table]:
    """The SRNN against what others have published on the standard version of the music, a table for each bound."""
    printed = [entry for entry in _published()["music"] if entry["data"] == "bl"]
    published = [entry for entry in printed if not entry["recalled"]]
    recalled = [entry for entry in printed if entry["recalled"]]
    titles = {
        "elbo": ("elbo", "lower bounds (ELBO)"),
        "importance sampling": ("iwae:128", "importance sampling (ours: IWAE-128)"),
        "fivo:128": ("fivo:128", "particle filters (FIVO-128)"),
        "exact": ("", "exact log-likelihoods, to which a lower bound may be compared"),
    }
    ours = {"bernoulli": "SRNN (ours), factorised output", "nade": "SRNN (ours), autoregressive output"}
    tables = []
    for bound, (measured, title) in titles.items():
        rows = [_music_row(entry) for entry in published if entry["bound"] == bound]
        for name, label in ours.items() if measured else ():
            figures = [_figure(rows_of(results, f"field/{data}/{name}"), measured) for data in SETS]
            rows.append((label, *figures, f"field/SET/{name}"))
        caption = (
            f"{_caption('bl/SET', _FIELD)} Where the average of a published result is not known, it says so. {_SET}"
        )
        header = ("model", *SETS.values(), "source or row" if measured else "source")
        tables.append(
            _table(
                f"Compared with published results, on Boulanger-Lewandowski's version: {title}", caption, header, rows
            )
        )
    rows = [(f"{entry['model']} ({entry['bound']})", *_music_row(entry)[1:]) for entry in recalled]
    caption = (
        "None of these numbers was looked up: their publications could not be opened. bl/SET (test); nats per frame; "
        "average and first frame as above, as far as is known."
    )
    title = "Compared with published results: recalled, not looked up"
    tables.append(Table(title, caption, ("model (bound)", *SETS.values(), "source"), tuple(rows)))
    return tables


def _frames_in_half_a_second(result: Result) -> float:
    return result.config.data.sample_rate / result.config.data.hop / 2


def table1(results: Results) -> list[Table]:
    """The paper's Table 1 beside the same models on free speech."""
    published = _published()["speech"]
    rows = []
    for name, label in SPEECH.items():
        paper = published["values"][name]
        voice = _figure(rows_of(results, f"table1/voice/{name}"), "elbo", _frames_in_half_a_second)
        voices = _figure(rows_of(results, f"table1/voices/{name}"), "elbo")
        rows.append((label, Figure(paper["blizzard"]), voice, Figure(paper["timit"]), voices, f"table1/SET/{name}"))
    header = (
        "model",
        "Blizzard (paper), nats per 0.5 s",
        "voice (ours), nats per 0.5 s",
        "TIMIT (paper), nats per utterance",
        "voices (ours), nats per utterance",
        "row",
    )
    caption = (
        f"ELBO, first frame not scored. Blizzard and TIMIT: {published['source']}, average over chunks or utterances. "
        "voice: one voice in place of Blizzard, whole utterances, all nats by all seconds. voices: five voices in "
        "place of TIMIT, average over utterances. SET is voice or voices. Numbers on different data are not "
        "comparable; their order may be."
    )
    later = Table(
        "Table 1: published later, not seen",
        "Models of Blizzard and TIMIT after the SRNN. Abstracts were seen; the pages with their numbers (nats per "
        "chunk and utterance, average, first frame) could not be opened, so none is repeated here.",
        ("model", "Blizzard", "TIMIT", "source"),
        tuple((entry["model"], None, None, entry["source"]) for entry in published["later"]),
    )
    return [_table("Table 1, on free speech", caption, header, rows), later, *_outputs(results)]


def _outputs(results: Results) -> list[Table]:
    """Models of speech whose output hears inside a frame, the best first."""
    found = [result for row, result in results.items() if row.startswith("outputs/")]
    header = ("data", "model", "likelihood", "parameters", "epochs", "ELBO", "KL", "row")
    rows = [
        (r.data, r.config.model.model, r.config.model.likelihood, *_described([r]), _figure([r], "elbo"), kl, r.row)
        for r in sorted(found, key=lambda result: -result.figures["elbo"])
        for kl in [f"{r.figures['kl']:.2f}"]
    ]
    caption = (
        f"{_convention('SET', 'test', 'micro', False)}; nats per frame of 200 samples. The row's command has options."
    )
    return [_table("Outputs that hear inside a frame", caption, header, rows)] if rows else []


def figure3(results: Results) -> list[Table]:
    """Whether the KL rises at transitions (the paper's Figure 3): of each model, along training, and what was tried."""
    # Each record in the table that its name asks for.
    trained, training, tried, followed = [], [], [], set()
    order = [*FRAMES, *MODELS]
    rows = [row for row in results if row.startswith("figure3/")]
    for row in sorted(
        rows, key=lambda row: [order.index(p) if p in order else len(order) for p in row.split("/")[1:3]]
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
            tried.append((*what, ", ".join(f"{k} {v}" for k, v in changed.items()) or "–", *measured))
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
        "Test split, 8 posterior paths. AUC: the KL of frames within 2 of an onset (a peak of the spectral flux) "
        "against the other active frames; of notes, of frames in which the chord changes. Null: mean ± standard "
        "deviation over 1,000 circular shifts, and how many of them reach the AUC. Splice: largest KL within 2 frames "
        "of the point where two half clips are spliced, against the same frames before the cut."
    )
    tables = [Table("Figure 3, measured: the KL at transitions", caption, header, tuple(trained))]
    if (by_kind := _areas_table(results)).rows:
        tables.insert(0, by_kind)
    if followed:
        rows = sorted((cells for cells in training if cells[:2] in followed), key=lambda cells: cells[:3])
        caption = "The same, of models after a few epochs and after all."
        tables.append(Table("Figure 3, measured: along training", caption, _with(header, "epochs"), tuple(rows)))
    if tried:
        caption = "The same, of models that were trained otherwise than those of the first table; each in what differs."
        tables.append(Table("Figure 3, measured: what was tried", caption, _with(header, "changed"), tuple(tried)))
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
    rows.sort(key=lambda cells: [order.index(cells[i]) if cells[i] in order else len(order) for i in (0, 2, 1)])
    header = ("frames", "model", "event", "events", *_AREAS.values(), "null, sd", "row")
    caption = (
        "Test split, 8 posterior paths. AUC: the probability that the KL of a frame at an event exceeds that of "
        "another, over the frames of all clips; in brackets its mean over clips ± standard error. In the frame of the "
        "event alone, or within 2 frames of it; among all frames, or those that are not silent. The null, over 1,000 "
        "circular shifts, has a mean of ½ and at most the standard deviation of its column. Sound sets in after, or "
        "ends before, 50 ms below 1 % of the clip's largest level; an onset is a peak of the spectral flux; boundaries "
        "of phones are those of an automatic alignment."
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
    return {key[len(place) :]: value for key, value in result.figures.items() if key.startswith(place)}


def _area_text(area: Mapping[str, float]) -> str | None:
    if not area:
        return None
    by_clip = f"{area['by_clip']:.2f} ± {area['by_clip_se']:.2f}" if "by_clip_se" in area else "one clip"
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
                name and f"{100 * f[f'{name}/accuracy']:.1f} ({100 * f[f'{name}/macro_f1']:.1f})" for name in known
            ]
            how = config.data.data, config.data.features, config.model.likelihood
            rows.append((row.partition("/")[2], *how, *cells, row))
    caption = (
        "reader (test). Accuracy of the phone of a frame, %, and in brackets macro F1, %; a linear classifier "
        "(multinomial logistic regression) trained on 10 minutes of training sentences. z: mean of its posterior; d "
        "knows the frames before; log-mel: 80 bins of a window around the frame, without any model; majority: always "
        "the most frequent phone, a pause."
    )
    return [Table("What the states know of the phones", caption, header, tuple(rows))]


PROBED = ("z", "d", "z and d", LogMel.name, "majority")
"""What a probe reads."""


def _with(header: tuple[str, ...], column: str) -> tuple[str, ...]:
    """A header with another column after the first two."""
    return (*header[:2], column, *header[2:])


def bundled(results: Results) -> list[Table]:
    """The bundled checkpoints, a table for each kind of frames and convention."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for row, result in results.items():
        if row.startswith("bundled/"):
            version, config = result.data.partition("/")[0], result.config
            average: Any = result.average
            convention = EvaluationConfig(average=average, first_frame=result.first_frame)
            title = f"Bundled: {version}, {config.data.kind.called(config.model.x_dim)}"
            groups.setdefault((title, _caption(version, convention, result.split)), []).append(result)
    header = ("checkpoint", "data", "model", "likelihood", "parameters", "epochs", *BOUNDS.values(), "row")
    tables = []
    for (title, caption), found in groups.items():
        rows = []
        for result in found:
            name, model = result.row.partition("/")[2], result.config.model
            figures = [_figure([result], bound) for bound in BOUNDS]
            rows.append((name, result.data, model.model, model.likelihood, *_described([result]), *figures, result.row))
        tables.append(_table(title, caption, header, rows))
    return tables


TABLES: dict[str, Callable[[Results], list[Table]]] = {
    "table2": table2,
    "field": field,
    "family": family,
    "fivo": fivo,
    "objectives": objectives,
    "systems": systems,
    "table1": table1,
    "figure3": figure3,
    "probe": probe,
    "bundled": bundled,
}
"""Name -> function of the results; the only list."""


def make_tables(name: str, results: Results) -> list[Table]:
    """The tables of a name in ``TABLES``.

    Raises:
        ValueError: A recorded row is measured on other data or by another convention than its column.
    """
    for row, result in results.items():
        check_place(row, result.command, result.data, result.split, result.average, result.first_frame)
    return TABLES[name](with_means(results))


def write_tables(text: str, results: Results) -> str:
    """``text`` with what stands between each ``<!-- results:NAME -->`` and ``<!-- /results -->`` made anew.

    Raises:
        ValueError: There is no such block, one does not end, or it names no table.
    """
    begins, ends = r"<!-- results:([^>\n]*?) -->", "<!-- /results -->"
    blocks = re.findall(begins, text)
    if not blocks:
        raise ValueError(f"it has no block that begins with <!-- results:NAME --> and ends with {ends}.")
    if unknown := [name for name in blocks if name not in TABLES]:
        raise ValueError(f"its block {unknown[0]!r} is no table; choose one of {', '.join(TABLES)}.")

    def made(block: re.Match[str]) -> str:
        tables = "\n\n".join(table.markdown() for table in make_tables(block[1], results))
        return f"<!-- results:{block[1]} -->\n\n{tables}\n\n{ends}"

    text, count = re.subn(rf"{begins}(?:(?!<!-- results:).)*?{ends}", made, text, flags=re.DOTALL)
    if count != len(blocks):
        raise ValueError(f"a block of it does not end; close each with {ends}.")
    return text
