"""The tables, and what the README and the package hold of them."""

import hashlib
import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from tiny import a_result

from srnn_lab.checkpoint import list_checkpoints
from srnn_lab.config import PRESETS, ModelConfig, TrainConfig
from srnn_lab.reports.places import PLACES, check_place
from srnn_lab.reports.records import Result, read_results
from srnn_lab.reports.table import Figure, Table, digits_of, gain, rows_of, with_means
from srnn_lab.reports.tables import TABLES, make_tables, write_tables

ROOT = Path(__file__).parents[2]


def placed(row: str, **changes: object) -> Result:
    """A result that is measured as the tables ask of a row of this name."""
    data, convention = next(
        asked for place, asked in PLACES.items() if f"{row}/".startswith(f"{place}/")
    )
    return a_result(
        row, data=data, average=convention.average, first_frame=convention.first_frame, **changes
    )


def by_row(*results: Result) -> dict[str, Result]:
    return {result.row: result for result in results}


def cell(table: Table, row: str, column: str) -> object:
    (found,) = [cells for cells in table.rows if cells[-1] == row]
    return found[table.header.index(column)]


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure(-4.694527), "-4.69"),
        (Figure(-4.694527, 0.0512), "-4.69 ± 0.05"),
        (Figure(-4.694527, 0.0512, 0.031, 3), "-4.69 ± 0.05 (sd 0.03, 3 seeds)"),
        (Figure(-4.694527, 0.0512, repetitions=16), "-4.69 ± 0.05 (mean of 16)"),
        (Figure(-4.694527, 0.0512, 0.031, 3, 8), "-4.69 ± 0.05 (sd 0.03, 3 seeds; mean of 8)"),
        (Figure(216.8166, 9.31), "216.8 ± 9.3"),
        (Figure(60549.6, 812.3), "60550 ± 812"),
        (Figure(Decimal("-8.20")), "-8.20"),
        (Figure(-1900), "-1900"),
    ],
)
def test_a_figure_is_printed_with_its_errors_and_a_published_one_in_its_own_digits(figure, text):
    assert f"{figure}" == text


@pytest.mark.parametrize("name", TABLES)
def test_without_any_recorded_row_a_table_holds_dashes_and_published_figures(name):
    tables = make_tables(name, {})
    assert bool(tables) == (name != "bundled")
    for table in tables:
        assert all(len(row) == len(table.header) for row in table.rows)
        assert all(c.published for row in table.rows for c in row if isinstance(c, Figure))
        assert not table.measured
        assert table.text().startswith(f"{table.title}\n{table.caption}\n\n{table.header[0]}")
        for line in table.markdown().splitlines()[2:]:
            assert line.count("|") == len(table.columns()) + 1
        json.dumps(table.to_dict())
    if name in ("family", "fivo"):
        assert {c for t in tables for row in t.rows for c in row[1:-1]} == {None}
        assert {tuple(title for title, *_ in table.columns()) for table in tables} == {
            ("model", "row")
        }
    if name == "field":
        assert "–" in tables[0].text()


@pytest.mark.parametrize("name", TABLES)
def test_a_caption_says_data_average_first_frame_and_unit(name):
    results = by_row(
        a_result("bundled/a"),
        a_result("bundled/b", data="voice", average="sequence", first_frame=False),
    )
    for table in make_tables(name, results):
        # What the KL and the states tell is no bound.
        if table.title != "Table 2: the paper's other rows" and name not in ("figure3", "probe"):
            for words in ("average", "first frame", "nats per"):
                assert words in f"{table.caption} {table.header}"


def test_what_was_measured_at_transitions_stands_in_a_table_of_its_own():
    figures = {
        "auc": 0.7912, "null_mean": 0.5, "null_sd": 0.016, "shifts_better": 0.0, "splice": 32.5,
        "uncut": 14.06, "splice_larger": 1.0,
    }  # fmt: skip
    places = ("jsb/vrnn", "voice-mel/x", "voice-mel/srnn-filt", "voice-mel/vrnn")
    rows = [placed(f"figure3/{place}", command="transitions", figures=figures) for place in places]
    (table,) = make_tables("figure3", by_row(*rows, a_result("bundled/a")))
    of_sound = [("80 log-mel bins", model) for model in ("VRNN", "SRNN filt", "x")]
    assert [row[:2] for row in table.rows] == [*of_sound, ("piano roll, fraccaro/jsb", "VRNN")]
    assert [row[2] for row in table.rows] == ["0.791"] * 4
    assert table.rows[-1][2:] == (
        "0.791",
        "0.500 ± 0.016",
        "0.0",
        "32.5",
        "14.1",
        "100",
        2,
        "figure3/jsb/vrnn",
    )


def test_each_kind_of_event_has_its_row_with_all_measures_side_by_side():
    figures = dict.fromkeys(
        ("auc", "null_mean", "null_sd", "shifts_better", "splice", "uncut", "splice_larger"), 0.5
    )
    area = {"events": 35.0, "auc": 0.774, "null_sd": 0.048, "by_clip": 0.809, "by_clip_se": 0.04}
    for name, auc in {
        "silence-to-sound/all/0": 0.774,
        "silence-to-sound/active/2": 0.592,
        "onset/all/0": 0.5,
    }.items():
        figures |= {f"{name}/{key}": value for key, value in {**area, "auc": auc}.items()}
    figures.pop("onset/all/0/by_clip_se")
    rows = [
        placed(f"figure3/voice/{name}", command="transitions", figures=figures)
        for name in ("vrnn", "vrnn/epochs5")
    ]
    table = make_tables("figure3", by_row(*rows))[0]
    assert table.header[4:8] == ("frame, all", "within 2, all", "frame, active", "within 2, active")
    what = ("200 raw samples", "VRNN")
    assert table.rows == (
        (
            *what,
            "silence to sound",
            35,
            "0.774 (0.81 ± 0.04)",
            None,
            None,
            "0.592 (0.81 ± 0.04)",
            "0.048",
            rows[0].row,
        ),
        (*what, "spectral onset", 35, "0.500 (one clip)", None, None, None, "0.048", rows[0].row),
    )


def test_a_probe_has_a_row_for_each_model_and_a_dash_for_what_it_lacks():
    of = {"accuracy": 0.386, "macro_f1": 0.183, "speech_accuracy": 0.2}
    figures = {
        f"{name}/{key}": value for name in ("d", "log-mel", "majority") for key, value in of.items()
    }
    row = placed("probe/rnn", command="probe", figures={**figures, "minutes": 10.0})
    (table,) = make_tables("probe", by_row(row))
    cell = "38.6 (18.3)"
    assert table.rows[0][4:] == (None, cell, None, cell, cell, "probe/rnn")
    assert "z and d" not in table.text().splitlines()[3]


def test_a_model_that_was_measured_along_its_training_is_followed_from_few_epochs_to_all():
    figures = dict.fromkeys(
        ("auc", "null_mean", "null_sd", "shifts_better", "splice", "uncut", "splice_larger"), 0.5
    )
    epochs = {
        "voice-mel/vrnn": 80,
        "voice-mel/vrnn/epochs20": 20,
        "voice-mel/vrnn/epochs5": 5,
        "jsb/vrnn": 60,
    }
    rows = []
    for place, number in epochs.items():
        row = placed(f"figure3/{place}", command="transitions", figures=figures)
        train = replace(row.config.train, epochs=number)
        rows.append(replace(row, config=replace(row.config, train=train)))
    trained, training = make_tables("figure3", by_row(*rows))
    assert [row[-1] for row in trained.rows] == ["figure3/voice-mel/vrnn", "figure3/jsb/vrnn"]
    assert [row[:3] for row in training.rows] == [
        ("80 log-mel bins", "VRNN", n) for n in (5, 20, 80)
    ]


def test_what_was_tried_stands_with_what_differs_from_the_model_of_that_name():
    figures = dict.fromkeys(
        ("auc", "null_mean", "null_sd", "shifts_better", "splice", "uncut", "splice_larger"), 0.5
    )
    base, row = (
        placed(f"figure3/jsb/vrnn{how}", command="transitions", figures=figures)
        for how in ("", "/tried-short")
    )
    config = replace(
        row.config,
        train=replace(row.config.train, epochs=7),
        model=replace(row.config.model, z_dim=8),
    )
    trained, tried = make_tables("figure3", by_row(base, replace(row, config=config)))
    assert [row[-1] for row in trained.rows] == ["figure3/jsb/vrnn"]
    assert [row[:3] for row in tried.rows] == [
        ("piano roll, fraccaro/jsb", "VRNN", "z_dim 8, epochs 7")
    ]


def test_the_family_stands_in_a_table_for_each_version_of_the_data():
    figures = {
        "elbo": -5.0,
        "elbo_se": 0.1,
        "iwae:128": -4.8,
        "iwae:128_se": 0.1,
        "fivo:128": -4.6,
        "fivo:128_se": 0.1,
    }
    vrnn = placed("family/bl-jsb/vrnn", figures=figures, parameters=3_000_000)
    fraccaro, bl = make_tables("family", by_row(vrnn))
    assert (
        "fraccaro/jsb (test), macro average, first frame not scored; nats per frame"
        in fraccaro.caption
    )
    assert "bl/jsb (test), micro average, first frame scored; nats per frame" in bl.caption
    shown = [f"{cell(bl, vrnn.row, column)}" for column in bl.header[1:]]
    assert shown == ["3000000", "60", "-5.00 ± 0.10", "-4.80 ± 0.10", "-4.60 ± 0.10", vrnn.row]
    assert len(bl.rows) == len(fraccaro.rows) == 12


def test_several_seeds_of_a_row_are_averaged_with_their_spread():
    rows = [
        placed(f"table2/jsb/seed{i}", figures={"elbo": e, "elbo_se": 0.2})
        for i, e in ((1, -4.7), (2, -4.9))
    ]
    table = make_tables("table2", by_row(*rows, placed("best/jsb", figures={"elbo": -4.4})))[0]
    assert f"{cell(table, 'table2/SET', 'JSB chorales')}" == "-4.80 ± 0.20 (sd 0.14, 2 seeds)"
    assert f"{cell(table, 'best/SET', 'JSB chorales')}" == "-4.40"
    assert cell(table, "table2/SET", "MuseData") is None
    assert f"{cell(table, 'SRNN paper, Table 2', 'JSB chorales')}" == "-4.74"


def test_a_column_in_which_nothing_is_recorded_is_not_printed():
    (table,) = make_tables(
        "bundled", by_row(a_result("bundled/a", figures={"elbo": -4.3, "fivo:128": -4.0}))
    )
    assert "IWAE-128" in table.header
    for printed in (table.text(), table.markdown()):
        assert "FIVO-128" in printed
        assert "IWAE-128" not in printed


def test_set_in_the_name_of_a_row_stands_for_any_set_and_seed():
    results = by_row(
        *(
            a_result(row)
            for row in ("table2/jsb/seed1", "table2/muse", "table2/jsb/other", "best/jsb")
        )
    )
    assert [result.row for result in rows_of(results, "table2/SET")] == [
        "table2/jsb/seed1",
        "table2/muse",
    ]
    assert [result.row for result in rows_of(results, "best/jsb")] == ["best/jsb"]


def test_the_paper_s_other_rows_never_stand_beside_its_srnn():
    srnn, tsbn, others = make_tables("table2", {})
    assert [row[0] for row in srnn.rows if row[-1].startswith("SRNN paper")] == [
        "SRNN smooth+Res_q (paper)"
    ]
    assert [row[0] for row in tsbn.rows] == ["TSBN", "TSBN (ours)"]
    assert [row[0] for row in others.rows] == ["NASMC", "STORN", "RNN-NADE", "RNN"]


def test_the_gain_of_fivo_is_the_difference_of_the_same_bound():
    def trained(row, value, **train):
        config = replace(PRESETS["jsb"], train=TrainConfig(**train))
        return placed(row, figures={"elbo": -9.0, "fivo:128": value}, config=config)

    results = by_row(
        trained("family/bl-jsb/vrnn", -7.0),
        trained("fivo/bl-jsb/vrnn", -6.5, objective="fivo", num_particles=8),
    )
    (table,) = make_tables("fivo", results)
    assert f"{cell(table, 'fivo/bl-jsb/vrnn', 'gain in FIVO-128')}" == "0.50"
    assert cell(table, "fivo/bl-jsb/vrnn", "trained on") == "fivo:8"
    assert cell(table, "family/bl-jsb/vrnn", "trained on") == "elbo"
    assert cell(table, "family/bl-jsb/vrnn", "gain in FIVO-128") is None
    assert cell(table, "fivo/bl-jsb/srnn", "gain in FIVO-128") is None


def test_against_the_field_each_bound_has_its_own_table():
    figures = {"elbo": -6.6, "iwae:128": -6.2, "fivo:128": -6.0}
    tables = make_tables("field", by_row(placed("field/jsb/bernoulli", figures=figures)))
    found = [cell(table, "field/SET/bernoulli", "JSB chorales").value for table in tables[:3]]
    assert found == [-6.6, -6.2, -6.0]
    assert not any("field/" in row[-1] for row in tables[3].rows)
    shown = {f"{row[0]} {row[2]}": row[-1] for table in tables for row in table.rows}
    assert {"DMM-Aug -6.773", "DMM-Aug -6.288", "TCN -8.10", "RNN-NADE -5.19"} < shown.keys()
    (_,) = [table for table in tables if "recalled" in table.title]
    recalled = {row[0] for row in tables[-1].rows}
    assert recalled == {
        "VRNN trained with FIVO, 16 particles "
        "(fivo:128)", "SRNN, filtering (elbo)", "RNN-NADE (exact)",
    }  # fmt: skip


def test_what_was_recalled_stands_in_tables_that_say_so_and_what_was_not_seen_has_no_figure():
    published = json.loads((ROOT / "srnn_lab" / "reports" / "published.json").read_text())
    recalled = [entry for entry in published["music"] if entry["recalled"]]
    shown = {table.title: table.text() for name in TABLES for table in make_tables(name, {})}
    for entry in recalled:
        assert [title for title, text in shown.items() if entry["source"] in text] == [
            "Compared with published results: recalled, not looked up"
        ]
    later = shown["Table 1: published later, numbers not seen"]
    for entry in published["speech"]["later"]:
        assert f"{entry['model']} " in later
    assert not re.search(r"\d{5}", later)


def test_a_mean_of_the_same_checkpoint_takes_the_place_of_one_draw_and_the_caption_says_so():
    one = placed("best/jsb", figures={"elbo": -4.69, "elbo_se": 0.07, "iwae:128": -4.5})
    mean = replace(
        one,
        row="means/jsb",
        figures={"elbo": -4.716, "elbo_se": 0.07, "elbo_se_repetitions": 0.004},
    )
    mean = replace(mean, repetitions=16)
    table = make_tables("table2", by_row(one, mean))[0]
    assert f"{cell(table, 'best/SET', 'JSB chorales')}" == "-4.72 ± 0.07 (mean of 16)"
    assert "mean of N: mean of N evaluations" in table.caption
    assert with_means(by_row(one, mean))["best/jsb"].figures["iwae:128"] == -4.5
    for other in ({"checkpoint_sha256": "0" * 64}, {"data_sha256": "0" * 64}, {"average": "micro"}):
        table = make_tables("table2", by_row(one, replace(mean, **other)))[0]
        assert f"{cell(table, 'best/SET', 'JSB chorales')}" == "-4.69 ± 0.07"
        assert "Each number is one evaluation" in table.caption


def test_the_noise_of_a_recorded_mean_is_below_the_last_digit_that_is_printed():
    means = {row: result for row, result in read_results().items() if row.startswith("means/")}
    assert means
    for result in means.values():
        assert result.figures["elbo_se_repetitions"] < 10 ** -digits_of(result.figures["elbo"])


def test_speech_is_shown_by_half_a_second_and_by_utterance():
    voice = placed(
        "table1/voice/srnn-filt", figures={"elbo": 200.0, "elbo_se": 10.0}, config=PRESETS["voice"]
    )
    voices = placed("table1/voices/srnn-filt", figures={"elbo": 40000.0}, config=PRESETS["voices"])
    table, *_ = make_tables("table1", by_row(voice, voices))
    assert [f"{c}" for c in table.rows[3]] == [
        "SRNN filt",
        "10846",
        "8000 ± 400",
        "50524",
        "40000",
        "table1/SET/srnn-filt",
    ]  # fmt: skip  (0.5 s are 40 frames of 200 samples)


def test_a_gain_is_that_of_sums_and_its_error_that_of_differences():
    found = gain([10.0, 30.0, 20.0], [8.0, 24.0, 19.0], [1, 2, 1])
    assert found.value == pytest.approx(9 / 4)
    differences = np.array([2.0, 6.0, 1.0]) - 9 / 4 * np.array([1, 2, 1])
    assert found.se == pytest.approx((np.square(differences).sum() * 3 / 2) ** 0.5 / 4)
    alone = gain([10.0], [8.0], [4])  # of one sequence no error is known
    assert (alone.value, alone.se) == (0.5, None)


def test_models_of_one_reader_stand_by_their_nats_above_the_paper_s():
    config = replace(
        PRESETS["reader-compact"],
        model=replace(PRESETS["reader-compact"].model, likelihood="student-t-ar"),
    )
    of_two = {
        "sums": [2000.0, 2000.0],
        "lengths": [10, 10],
        "config": PRESETS["reader-compact"],
        "sequences": 2,
    }
    base = placed(
        "table1/reader/srnn-smooth-res",
        figures={"elbo": 200.0, "elbo_se": 1.0, "kl": 3.0},
        **of_two,
    )
    better = {**of_two, "sums": [2100.0, 2300.0], "config": config}
    best = placed(
        "outputs/reader/srnn-smooth-res-student-t-ar", figures={"elbo": 220.0, "kl": 2.0}, **better
    )
    _, _, table = make_tables("table1", by_row(base, best))
    models = [row[:2] for row in table.rows if not f"{row[0]}".startswith("untrained")]
    assert models == [("SRNN smooth+Res_q", "student-t-ar"), ("SRNN smooth+Res_q", "gaussian")]
    # 20 nats a frame, 40 frames.
    assert f"{cell(table, best.row, 'above SRNN smooth+Res_q')}" == "800.0 ± 400.0"
    assert cell(table, base.row, "above SRNN smooth+Res_q") is None
    untrained = [row for row in table.rows if f"{row[0]}".startswith("untrained")]
    assert [row[1] for row in untrained] == [
        "taps also before the frame",
        "taps inside the frame",
        "full covariance",
    ]
    # Of other sequences than those of this made-up base.
    assert all(row[6] is None for row in untrained)


def test_bundled_checkpoints_of_two_conventions_never_share_a_table():
    results = by_row(
        a_result("bundled/jsb", data="fraccaro/jsb", average="macro", first_frame=False),
        a_result("bundled/muse", data="fraccaro/muse", average="macro", first_frame=False),
        a_result("bundled/bl-jsb", data="bl/jsb"),
        a_result("bundled/voice", data="voice", config=PRESETS["voice"]),
        a_result("bundled/voice-mel", data="voice", config=PRESETS["voice-mel"]),
    )
    tables = make_tables("bundled", results)
    assert [[row[0] for row in table.rows] for table in tables] == [
        ["jsb", "muse"],
        ["bl-jsb"],
        ["voice"],
        ["voice-mel"],
    ]
    assert [table.title for table in tables][2:] == [
        "Bundled: voice, 200 raw samples",
        "Bundled: voice, 80 log-mel bins",
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"data": "bl/jsb"}, {"split": "valid"}, {"average": "micro"}, {"first_frame": True}],
    ids=str,
)
def test_a_row_of_another_convention_than_its_column_is_refused(wrong):
    row = replace(placed("table2/jsb/seed1"), **wrong)
    with pytest.raises(
        ValueError,
        match=r"The row table2/jsb/seed1 is measured on .* choose other options or another",
    ):
        make_tables("family", by_row(row))


def test_blocks_of_a_text_are_made_anew_and_the_rest_stays():
    before = (
        "a\n<!-- results:fivo -->\nold\n<!-- /results -->\nb\n"
        "<!-- results:fivo --><!-- /results -->\nc <!-- x -->\n"
    )
    once = write_tables(before, {})
    assert write_tables(once, {}) == once
    table = make_tables("fivo", {})[0].markdown()
    block = f"<!-- results:fivo -->\n\n{table}\n\n<!-- /results -->"
    assert once == f"a\n{block}\nb\n{block}\nc <!-- x -->\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing", "it has no block"),
        (
            "<!-- results:table3 --><!-- /results -->",
            "its block 'table3' is no table; choose one of table2",
        ),
        ("<!-- results:fivo -->", "a block of it does not end"),
        (
            "<!-- results:fivo --> <!-- results:family --><!-- /results -->",
            "a block of it does not end",
        ),
    ],
)
def test_blocks_that_cannot_be_filled_in_are_refused(text, said):
    with pytest.raises(ValueError, match=said):
        write_tables(text, {})


@pytest.mark.parametrize("file", ["README.md", "docs/results.md", "srnn_lab/assets/README.md"])
def test_the_readme_shows_what_is_recorded(file):
    text = (ROOT / file).read_text()
    assert write_tables(text, read_results()) == text, (
        f"make it anew: srnn-lab results --write {file}"
    )


def test_every_bundled_checkpoint_is_recorded_as_it_is():
    recorded = {r.checkpoint: r for r in read_results().values() if r.row.startswith("bundled/")}
    assert recorded.keys() == list_checkpoints().keys()
    for name, path in list_checkpoints().items():
        assert recorded[name].checkpoint_sha256 == hashlib.sha256(path.read_bytes()).hexdigest(), (
            name
        )


def test_recorded_rows_are_of_the_models_that_they_name():
    variants = {
        f"srnn-{'smooth' if smoothing else 'filt'}{'-res' * residual}": ModelConfig(
            smoothing=smoothing, residual=residual
        )
        for smoothing in (True, False)
        for residual in (True, False)
    } | {
        f"{model}-tridiagonal": ModelConfig(model=model, posterior="tridiagonal")
        for model in ("srnn", "dkf")
    }
    for row, result in read_results().items():
        if row.startswith("family/"):
            named = row.split("/")[2]
            model, expected = result.config.model, variants.get(named, ModelConfig(model=named))
            assert model.model == expected.model, row
            if named in variants:
                assert (model.smoothing, model.residual, model.posterior) == (
                    expected.smoothing,
                    expected.residual,
                    expected.posterior,
                ), row


def test_the_family_is_matched_in_size_and_in_epochs():
    recorded = read_results()
    for row, result in recorded.items():
        if row.startswith("family/"):
            srnn = recorded[f"family/{row.split('/')[1]}/srnn-smooth-res"]
            assert result.parameters == pytest.approx(srnn.parameters, rel=0.1), row
            assert result.config.train.epochs == srnn.config.train.epochs, row


@pytest.mark.parametrize(
    ("row", "command", "said"),
    [
        ("bundled/jsb", "transitions", "a table shows another measure there"),
        ("figure3/jsb/vrnn", "evaluate", "a table shows another measure there"),
        ("figure3/jsb", "transitions", "figure3/FRAMES/MODEL"),
        ("figure3/other/vrnn", "transitions", "FRAMES one of voice"),
        ("figure3/jsb/vrnn/5", "transitions", "figure3/FRAMES/MODEL/epochsN"),
        ("figure3/jsb/vrnn/tried-", "transitions", "figure3/FRAMES/MODEL/tried-NAME"),
    ],
)
def test_a_row_that_a_table_could_not_show_is_refused(row, command, said):
    with pytest.raises(ValueError, match=said):
        check_place(row, command, "fraccaro/jsb", "test", "macro", False)
