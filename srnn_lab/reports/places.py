"""Which rows the tables have, and on which data and by which convention each is measured."""

import re

from srnn_lab.config import CONVENTIONS, EvaluationConfig
from srnn_lab.reports.records import check_row

SETS = {
    "nottingham": "Nottingham",
    "jsb": "JSB chorales",
    "muse": "MuseData",
    "piano": "Piano-midi.de",
}
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
    **{
        name: MODELS[name]
        for name in ("srnn-smooth-res", "srnn-smooth", "srnn-filt-res", "srnn-filt")
    },
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

MUSIC, FIELD = CONVENTIONS["srnn-music"], CONVENTIONS["field-music"]
VOICE = EvaluationConfig(average="micro", first_frame=False)
TSBN = EvaluationConfig(average="macro", first_frame=True)
PLACES: dict[str, tuple[str, EvaluationConfig]] = {
    "family/fraccaro-jsb": ("fraccaro/jsb", MUSIC),
    "family/bl-jsb": ("bl/jsb", FIELD),
    "fivo/bl-jsb": ("bl/jsb", FIELD),
    **{f"objectives/bl-{name}": (f"bl/{name}", FIELD) for name in ("jsb", "nottingham")},
    **{f"{table}/{name}": (f"fraccaro/{name}", MUSIC) for table in OURS for name in SETS},
    **{f"field/{name}": (f"bl/{name}", FIELD) for name in SETS},
    **{f"systems/bl-{name}": (f"bl/{name}", FIELD) for name in SETS},
    **{f"tsbn/{name}": (f"bl/{name}", TSBN) for name in SETS},
    "table1/voice": ("voice", VOICE),
    "table1/reader": ("reader", VOICE),
    "table1/voices": ("voices", CONVENTIONS["srnn-speech"]),
    "outputs/voice": ("voice", VOICE),
    "outputs/reader": ("reader", VOICE),
    "figure3/voice": ("voice", VOICE),
    "figure3/voice-mel": ("voice", VOICE),
    "figure3/voices": ("voices", CONVENTIONS["srnn-speech"]),
    "figure3/reader": ("reader", VOICE),
    "figure3/reader-mel": ("reader", VOICE),
    "probe": ("reader", VOICE),
    "figure3/jsb": ("fraccaro/jsb", MUSIC),
}
"""Beginning of a row's name -> the data and the convention that the tables ask of it, on the test
split."""


def check_place(
    row: str, command: str, data: str, split: str, average: str, first_frame: bool
) -> None:
    """Check that a row's name is a valid one, and fits what the row is measured on and with.

    Args:
        row: The name.
        command: What measured it: ``evaluate``, ``transitions`` or ``probe``.
        data: Data set or folder.
        split: Its split.
        average: ``micro``, ``macro`` or ``sequence``.
        first_frame: Whether x_1 is scored.

    Raises:
        ValueError: It is none, or a table would show the row in a column of another measure, data
            version or convention.
    """
    check_row(row)
    table = row.partition("/")[0]
    measured_by = {"figure3": "transitions", "probe": "probe"}.get(table, "evaluate")
    if command != measured_by and table in {"bundled", *(p.split("/")[0] for p in PLACES)}:
        raise ValueError(
            f"The row {row} is measured by {command!r}; a table shows another measure there: "
            "rename it."
        )
    if table == "figure3" and not re.fullmatch(
        rf"figure3/({'|'.join(FRAMES)})/[^/]+(/epochs[1-9]\d*|/tried-[^/]+)?", row
    ):
        raise ValueError(
            f"The row is named {row}; the table of Figure 3 has figure3/FRAMES/MODEL, "
            "figure3/FRAMES/MODEL/epochsN and figure3/FRAMES/MODEL/tried-NAME, with FRAMES one "
            f"of {', '.join(FRAMES)}."
        )
    for place, (expected, convention) in PLACES.items():
        if row.startswith(f"{place}/") or row == place:
            found = (data, split, average, first_frame)
            if found != (wanted := (expected, "test", convention.average, convention.first_frame)):
                raise ValueError(
                    f"The row {row} is measured on {told_as(*found)}; the tables show a row of "
                    f"this name on {told_as(*wanted)}: choose other options or another --row."
                )


def told_as(data: str, split: str, average: str, first_frame: bool) -> str:
    """Data, split and convention in words."""
    scored = "scored" if first_frame else "not scored"
    return f"{data} ({split}), {average} average, first frame {scored}"
