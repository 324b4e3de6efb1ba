"""Where the numbers in the prose come from: a record, a publication, or, with a reason, neither.

A page is a list of quotations. Each number of a quotation, in its order, has a value, which the
test compares with what is printed, or a reason why no record has it. ``WHOLE_PAGES`` has reasons
for all numbers of a page."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev

from srnn_lab.reports.records import Result, read_results
from srnn_lab.reports.table import UNTRAINED, gain, rows_of, with_means

RECORDS = with_means(read_results())
_PUBLISHED = json.loads(
    (Path(__file__).parents[2] / "srnn_lab" / "reports" / "published.json").read_text()
)


def of(row: str, figure: str = "elbo") -> float:
    """A figure of a record; SET and further seeds of a row are averaged."""
    found = rows_of(RECORDS, row)
    return fmean(result.figures[figure] for result in found)


def share(row: str, figure: str) -> float:
    """A share in percent."""
    return 100 * of(row, figure)


def published(model: str, column: str) -> float:
    """A figure of a publication."""
    return next(entry["values"][column] for entry in _PUBLISHED["music"] if entry["model"] == model)


def untrained(data: str, name: str) -> float:
    """A figure of a density that no network is needed for."""
    kept = json.loads(UNTRAINED.read_text())
    return next(
        one["elbo"] for one in kept if one["data"] == data and one["density"].endswith(name)
    )


def over(start: str, value: Callable[[Result], float]) -> list[float]:
    """A value of each record whose row begins so."""
    return [value(result) for row, result in RECORDS.items() if row.startswith(start)]


def _at(kind: str, model: str, figure: str = "auc") -> float:
    return of(f"figure3/voice/{model}", f"{kind}/all/0/{figure}")


_FOUR = [of(f"table1/voice/srnn-{name}") for name in ("smooth-res", "smooth", "filt-res", "filt")]
_OF_FILT = of("table1/voices/srnn-smooth-res") / of("table1/voices/srnn-filt")
_NADE = [of(f"field/{name}/nade", "kl") for name in ("nottingham", "jsb", "muse")]


def _beyond_the_paper(row: str) -> tuple[float, float]:
    """How far a chorales row is from the paper's figure, and its standard error over seeds."""
    values = [result.figures["elbo"] for result in rows_of(RECORDS, row)]
    return abs(fmean(values) - published("SRNN smooth+Res_q (paper)", "jsb")), stdev(values) / len(
        values
    ) ** 0.5


_BELOW, _ABOVE = _beyond_the_paper("table2/jsb"), _beyond_the_paper("table2-reset/jsb")


def above(row: str, other: str) -> tuple[float, float]:
    """How far a row is above another on the same sequences, and the standard error."""
    one, base = RECORDS[row], RECORDS[other]
    found = gain(one.sums, base.sums, one.lengths)
    return float(found.value), found.se or 0.0


_READER = "outputs/reader/srnn-smooth-res-student-t-ar"
_SMOOTH_RES = "table1/reader/srnn-smooth-res"
_Z_ADDS = above("outputs/voice/srnn-smooth-res-student-t-ar", "outputs/voice/rnn-student-t-ar")
_ABOVE_FILT = above(
    "outputs/voice/srnn-smooth-res-student-t-ar", "outputs/voice/srnn-filt-student-t-ar"
)
_LARGEST = max(over("table1/voice", lambda result: result.parameters / 1e6))
_ABOVE_VRNN = above("outputs/voice/srnn-smooth-res-student-t-ar", "outputs/voice/vrnn-student-t-ar")
_RAW = [
    share(f"probe/voice{name}", "z/accuracy")
    for name in ("", "-vrnn", "-filt", "-smooth", "-filt-res")
]
VERSION, LICENCE = "a version", "the number of a licence"
FRAME = "200 samples at 16 kHz"
SETTING = "a setting, or a size that follows from one"
TRIAL = "measured once by a trial that did not become part of the package"
PARTICLES = "printed by `srnn-lab evaluate MODEL --bound fivo:K` on the bundled model"

WHOLE_PAGES = {
    "docs/speed.md": (
        "measured by `srnn-lab benchmark` on the machines that the page names; records are of "
        "models"
    ),
    "docs/licences.md": LICENCE,
}
SOURCES: dict[str, list[tuple]] = {
    "README.md": [
        ("with Python 3.11 or newer", VERSION),
        ("CC BY-SA 3.0", LICENCE),
    ],
    "docs/bounds.md": [
        (
            "are -4.72, -4.57 and -4.43",
            of("bundled/jsb-paper"),
            of("bundled/jsb-paper", "iwae:128"),
            of("bundled/jsb-paper", "fivo:128"),
        ),
        ("KL is above 0.01 nats per frame", SETTING),
        ("Below 0.1 nats of KL", SETTING),
    ],
    "docs/claims.md": [
        ("the AUC is 0.77 with them", _at("silence-to-sound", "srnn-smooth-res")),
        (
            "0.88 to 0.89 with a filter alone",
            _at("silence-to-sound", "srnn-filt"),
            _at("silence-to-sound", "vrnn"),
        ),
        (
            "(null 0.50 ± 0.05)",
            "an area without any tie has a mean of ½",
            _at("silence-to-sound", "vrnn", "null_sd"),
        ),
        ("with a filter alone (0.65)", _at("sound-to-silence", "srnn-filt")),
        ("smaller in the VRNN (0.40)", _at("sound-to-silence", "vrnn")),
        ("within 0.2 % of each other", 100 * (max(_FOUR) - min(_FOUR)) / max(_FOUR)),
        ("is 0.9 % below filt on five", 100 * (1 - _OF_FILT)),
        ("4.7 ± 0.6 nats per frame above a filter", *_ABOVE_FILT),
        ("it is 1.7 ± 0.3 above one", *above(_READER, "outputs/reader/srnn-filt-student-t-ar")),
        ("(by 5.9 ± 0.8 nats per frame)", *above("table1/reader/vrnn-gauss", _SMOOTH_RES)),
        (
            "the VRNN is 1.5 ± 0.8 nats above",
            *above("table1/reader/vrnn-gauss", "table1/reader/srnn-smooth"),
        ),
        ("is 4.4 ± 0.1 nats per frame above", *above("table1/reader/srnn-smooth", _SMOOTH_RES)),
        (
            "the filter without it 3.6 ± 0.2",
            *above("table1/reader/srnn-filt", "table1/reader/srnn-filt-res"),
        ),
        (
            "it is 0.8 ± 0.5 nats above the filter",
            *above("table1/reader/srnn-smooth", "table1/reader/srnn-filt"),
        ),
        ("and 0.0 ± 0.4 with it", *above(_SMOOTH_RES, "table1/reader/srnn-filt-res")),
        ("one recipe is 0.07 nats below the paper and the other 0.06 above", _BELOW[0], _ABOVE[0]),
        ("with standard errors of 0.04 and 0.09", _BELOW[1], _ABOVE[1]),
        ("has 399.3 nats per frame", of("outputs/voice/srnn-smooth-res-student-t-ar")),
        ("of the same size 360.5: 38.8 ± 2.2 more", of("outputs/voice/rnn-student-t-ar"), *_Z_ADDS),
        ("is 3.6 nats", of("outputs/voice/srnn-smooth-res-student-t-ar", "kl")),
        ("it is 55.6 with independent samples", of("means/voice", "kl")),
        ("the SRNN has 387.6", of("outputs/voice/srnn-smooth-res-gaussian-ar")),
        ("the RNN has 475.1 nats", of("outputs/voice/rnn-conv-ar")),
        (
            "and the SRNN 473.4, with a KL of 0.5",
            of("outputs/voice/srnn-smooth-res-conv-ar"),
            of("outputs/voice/srnn-smooth-res-conv-ar", "kl"),
        ),
        ("the SRNN has 597.0 nats", of("outputs/reader/srnn-smooth-res-conv-ar")),
        ("and the RNN 595.7", of("outputs/reader/rnn-conv-ar")),
        (
            "1.27 ± 0.08 more",
            *above("outputs/reader/srnn-smooth-res-conv-ar", "outputs/reader/rnn-conv-ar"),
        ),
        ("also with a KL of 0.5", of("outputs/reader/srnn-smooth-res-conv-ar", "kl")),
        ("predictor has 535.3 on", untrained("reader", "taps also before the frame")),
        ("the SRNN has 449.8 nats", of("outputs/voice/srnn-smooth-res-student-ar")),
        ("untrained predictor's 438.3", untrained("voice", "taps also before the frame")),
        ("its KL is 0.6", of("outputs/voice/srnn-smooth-res-student-ar", "kl")),
        ("by 2.4 ± 0.7 nats", *_ABOVE_VRNN),
        (
            "is 2.34 ± 0.15 nats above the VRNN",
            *above(_READER, "outputs/reader/vrnn-student-t-ar"),
        ),
        ("and 19.5 ± 0.7 above the RNN", *above(_READER, "outputs/reader/rnn-student-t-ar")),
        ("an accuracy of 36 % from the posterior mean", share("probe/voice", "z/accuracy")),
        (
            "38 % from d, 41 % from both",
            share("probe/voice", "d/accuracy"),
            share("probe/voice", "z and d/accuracy"),
        ),
        ("and 54 % from log-mel energies", share("probe/voice", "log-mel/accuracy")),
        ("34 % to 36 % from z", min(_RAW), max(_RAW)),
        ("z tells the phone in 47 % of the frames", share("probe/voice-ar", "z/accuracy")),
        ("a KL of 3.6 nats instead of 55.6", of("bundled/voice-ar", "kl"), of("means/voice", "kl")),
        ("frequent phone is right in 21 %", share("probe/voice", "majority/accuracy")),
        (
            "51 % from z, 58 % from d, 61 % from both",
            share("probe/voice-mel", "z/accuracy"),
            share("probe/voice-mel", "d/accuracy"),
            share("probe/voice-mel", "z and d/accuracy"),
        ),
    ],
    "docs/data.md": [
        ("fans of 50 and 90 %", "the intervals that Explore draws"),
        ("(0.1 to 4 MB a set)", "sizes of files"),
        ("99.5 minutes of one voice", "the length of all recordings of the package"),
        ("in chunks of 0.5 s", "as the paper scores Blizzard"),
        ("12.5 ms for voice", FRAME),
        (
            "23 % of `reader` are nearly silent",
            "counted once in the package's recordings, which are not bundled",
        ),
    ],
    "docs/log.md": [
        ("-3.03 on test", of("table2-reset/nottingham")),
        ("(the paper: -2.94)", published("SRNN smooth+Res_q (paper)", "nottingham")),
        ("from -4.523 to -4.522 nats", TRIAL, TRIAL),
        ("from 213.1 to 212.1", TRIAL, TRIAL),
        ("is 1.385 at best", TRIAL),
        ("guessing has 1.386", "2 log 2"),
        ("from -4.569 to -4.568", TRIAL, TRIAL),
        ("by less than 0.02", TRIAL),
        ("from -4.429 to -4.424", PARTICLES, PARTICLES),
        ("from 230.5 to 233.3", PARTICLES, PARTICLES),
        (
            "56 % of the particles are effective after training on the ELBO and 24 % after FIVO",
            share("objectives/bl-jsb/storn/elbo", "ess:128"),
            share("objectives/bl-jsb/storn/fivo-8", "ess:128"),
        ),
        (
            "53 % and 13 %",
            share("objectives/bl-jsb/srnn-filt/elbo", "ess:128"),
            share("objectives/bl-jsb/srnn-filt/fivo-8", "ess:128"),
        ),
        (
            "29 % are effective after NASMC",
            share("objectives/bl-jsb/storn/nasmc-8", "ess:128"),
        ),
    ],
    "docs/models.md": [
        ("of -4.57 nats per frame", of("family/fraccaro-jsb/srnn-tridiagonal")),
        ("four posteriors -4.71", of("family/fraccaro-jsb/srnn-filt-res")),
        (
            "-6.58 after -7.08",
            of("family/fraccaro-jsb/dkf-tridiagonal"),
            of("family/fraccaro-jsb/dkf"),
        ),
        ("silent at 0.8", "a temperature"),
    ],
    "docs/results.md": [
        ("is 0.07 nats below the paper and `table2-reset` 0.06 above", _BELOW[0], _ABOVE[0]),
        ("standard errors of 0.04 and 0.09", _BELOW[1], _ABOVE[1]),
        ("the KL is 0.002 to 0.004 nats", min(_NADE), max(_NADE)),
        ("match within 10 %", "the tolerance of the test of the family's sizes"),
        ("about 2.3 M parameters", _LARGEST),
        ("99.5 minutes in all", "the length of all recordings of the package"),
        ("about 2.4 M parameters", max(over("table1/reader", lambda r: r.parameters / 1e6))),
    ],
    "docs/training.md": [
        ("-4.81 on test over three seeds", of("table2/jsb")),
        ("-4.73 and -4.74 on test", of("precision/jsb/fp32"), of("precision/jsb/bf16")),
    ],
    "notebooks/00_tour.ipynb": [
        ("0 nats if the prediction was right", "the divergence of equal distributions")
    ],
    "notebooks/01_rnn_and_ssm.ipynb": [("to within 0.01?", SETTING)],
    "notebooks/06_inference_network.ipynb": [
        ("(0.9 here)", "printed by the cell above it"),
        ("rises by 0.003 nats", "printed by the cell above it"),
        ("starts at 0.2", SETTING),
        ("0.5 would be chance", "an area without any tie"),
    ],
    "notebooks/07_training.ipynb": [
        ("pieces of 0.5 s", "as the paper scores Blizzard"),
        ("90 % of the prompts for training", SETTING),
    ],
    "notebooks/08_speech.ipynb": [
        ("what 60550 nats are", _PUBLISHED["speech"]["values"]["srnn-smooth-res"]["timit"]),
        ("a frame lasts 12.5 ms", FRAME),
        (
            "the AUCs are 0.80 and 0.47",
            of("figure3/voice-mel/srnn-smooth-res", "auc"),
            of("figure3/voice/srnn-smooth-res", "auc"),
        ),
        (
            "the nulls 0.51 and 0.50 ± 0.02",
            of("figure3/voice-mel/srnn-smooth-res", "null_mean"),
            of("figure3/voice/srnn-smooth-res", "null_mean"),
            of("figure3/voice/srnn-smooth-res", "null_sd"),
        ),
        ("**voice-filt** has 0.55", of("figure3/voice/srnn-filt", "auc")),
        ("far from 0.80", of("figure3/voice-mel/srnn-smooth-res", "auc")),
        ("lasts 3.1 s on average", "TIMIT's, which is not bundled"),
        ('"sequence" is 0.5 s', "as the paper scores Blizzard"),
        ("means: 0 nats", "of the formula before it"),
        ("and 0.07 (TIMIT)", "printed by the cell below it"),
    ],
    "notebooks/09_music.ipynb": [
        ("$-4.7$ says", published("SRNN smooth+Res_q (paper)", "jsb")),
        (
            "90 % of their frames",
            "8,548 of 9,473, counted in the published files, which are not bundled",
        ),
        ("have $-10.49$ nats", "measured once on the published files, which are not bundled"),
        ("$-7.29$ on the second", "measured once on the published files, which are not bundled"),
        ("the $-4.74$ of the SRNN", published("SRNN smooth+Res_q (paper)", "jsb")),
        ("is $-9.5$", 2 * published("SRNN smooth+Res_q (paper)", "jsb")),
        ("beside $-8.7$ for a plain RNN", published("RNN", "jsb")),
        ("10 % of frames that are no copies", "925 of 9,473, counted in the published files"),
        ("by up to 0.8 nats", "measured once on the published files, which are not bundled"),
    ],
}
