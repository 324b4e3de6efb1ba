import io
import json
import re
import time
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.cli import main
from srnn_lab.config import PRESETS, DataConfig, ModelConfig, RunConfig
from srnn_lab.data import Frontend, load_split, read_signal, table_files
from srnn_lab.data.series import as_rows, complete, read_sequences, read_table
from srnn_lab.inference.forecasting import forecast
from srnn_lab.inference.sampling import generate
from srnn_lab.training.configuring import new_config
from srnn_lab.training.fitting import fit

KIND = DataConfig(features="series").kind


def rows(n=12, columns=2, seed=0):
    return np.random.default_rng(seed).standard_normal((n, columns)).astype(np.float32)


def write_csv(path, table, names=("flow", "level"), delimiter=","):
    lines = [
        delimiter.join(names),
        *(delimiter.join(f"{value:.9g}" for value in row) for row in table),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def write_as(path, table):
    if path.suffix == ".npy":
        np.save(path, table)
    elif path.suffix == ".npz":
        np.savez(path, x=table)
    elif path.suffix == ".parquet":
        pd.DataFrame(table, columns=["flow", "level"]).to_parquet(path)
    else:
        write_csv(path, table)


def tiny(**data):
    sizes = {"x_dim": 2, "d_dim": 5, "z_dim": 2, "hidden_dim": 6}
    run = PRESETS["series"]
    return replace(
        run,
        model=replace(run.model, **sizes),
        data=replace(run.data, **data),
        train=replace(run.train, epochs=1, batch_size=2, segment_length=8),
    )


@pytest.mark.parametrize("ending", KIND.suffixes)
def test_each_kind_of_file_holds_the_same_rows(tmp_path, ending):
    path, table = tmp_path / f"a{ending}", rows()
    write_as(path, table)
    np.testing.assert_allclose(read_table(path, KIND)[""], table, rtol=1e-6)
    named = replace(DataConfig(features="series"), columns="flow,level")
    # An array's columns are taken in order.
    np.testing.assert_allclose(read_signal(path, named), table, rtol=1e-6)


def test_a_csv_file_may_have_no_names_and_another_delimiter(tmp_path):
    table = rows()
    for delimiter in ",;\t":
        write_csv(tmp_path / "a.csv", table[1:], [f"{value:.9g}" for value in table[0]], delimiter)
        np.testing.assert_allclose(read_table(tmp_path / "a.csv", KIND)[""], table, rtol=1e-6)


def test_columns_are_chosen_by_name_and_a_column_parts_the_sequences(tmp_path):
    path, table = tmp_path / "a.csv", np.column_stack([np.repeat([7, 3], 6), rows()])
    write_csv(path, table, ("who", "flow", "level"))
    config = DataConfig(
        features="series", data=str(path), columns="level,flow", sequence_column="who"
    )
    found = read_sequences(config)
    assert list(found) == ["a.csv/7", "a.csv/3"]
    np.testing.assert_allclose(found["a.csv/3"], table[6:, [2, 1]], rtol=1e-6)
    with pytest.raises(ValueError, match=r"holds 2 sequences \(7, 3\); name one of them, such as"):
        read_signal(path, config)
    np.testing.assert_allclose(read_signal(path / "3", config), table[6:, [2, 1]], rtol=1e-6)
    with pytest.raises(ValueError, match="holds no sequence '5' but 2 sequences"):
        read_signal(path / "5", config)


def test_values_of_parquet_may_be_missing_and_texts_name_the_sequences(tmp_path):
    table = pd.DataFrame(rows(4), columns=["flow", "level"])
    table["count"] = pd.array([1, None, 3, 4], "Int64")
    table["open"] = [True, None, False, True]
    table["who"], table["which"] = ["b", "a", "b", "a"], [7, 8, 9, 8]
    table.to_parquet(path := tmp_path / "a.parquet")
    kind = replace(KIND, columns="flow,count,open", sequence_column="who")
    found = read_table(path, kind)
    assert list(found) == ["b", "a"]
    flow = table["flow"].to_numpy()
    np.testing.assert_array_equal(found["b"], np.stack([flow[::2], [1, 3], [1, 0]], 1))
    np.testing.assert_array_equal(found["a"], np.stack([flow[1::2], [np.nan, 4], [np.nan, 1]], 1))
    assert list(read_table(path, replace(kind, sequence_column="which"))) == ["7", "8", "9"]
    by_count = replace(kind, columns="flow", sequence_column="count")
    assert list(read_table(path, by_count)) == ["1", "None", "3", "4"]


@pytest.mark.parametrize("column", [["x" * 1000] * 200, [[0.0] * 1000] * 200])
def test_what_a_file_of_parquet_holds_once_is_kept_once(tmp_path, column):
    """One of 150 kB named 3 TB of text: 3 million rows with the same megabyte."""
    pd.DataFrame({"a": column}).to_parquet(path := tmp_path / "a.parquet")
    ((_, _, (found,)),) = table_files.tables_in(path)
    assert len({id(value) for value in found}) == 1
    with pytest.raises(ValueError, match=r"a\.parquet .* column 'a' holds .*, which is no number"):
        read_table(path, KIND)


def test_a_file_of_parquet_that_promises_too_much_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(table_files, "MAX_BYTES", 5000)
    for name, column in (("lists", [[0.0] * 1000]), ("dates", pd.to_datetime(["2024"] * 100))):
        pd.DataFrame({"a": column}).to_parquet(path := tmp_path / f"{name}.parquet")
        with pytest.raises(ValueError, match=rf"{name}\.parquet .*, more than are read"):
            read_table(path, KIND)


def test_the_time_to_part_sequences_grows_with_the_rows_alone(tmp_path):
    kind = replace(KIND, columns="flow", sequence_column="who")

    def seconds(number):
        (path := tmp_path / "a.csv").write_text(
            "who,flow\n" + "".join(f"{i},1\n" for i in range(number))
        )
        began = time.process_time()
        assert len(read_table(path, kind)) == number
        return time.process_time() - began

    short, long = (min(seconds(number) for _ in range(3)) for number in (1000, 8000))
    assert long < 24 * (short + 0.002)  # 8 if it is proportional, 64 if it is the square


def damaged(tmp_path):
    """Files that are no tables, with what is said of them."""
    np.save(tmp_path / "object.npy", np.array([{}], object), allow_pickle=True)
    yield "object.npy", "expected numbers"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 2)}
    )
    (tmp_path / "huge.npy").write_bytes(header.getvalue())
    yield "huge.npy", "promises 16000000000000 bytes"
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    yield "huge.npz", "promises"
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2)))
    yield "cube.npy", "(rows, columns)"
    for name, text, said in (
        ("empty.csv", "", "empty"),
        ("ragged.csv", "a,b\n1,2\n3\n", "row 2 has 1 values"),
        ("words.csv", "a,b\n1,2\n3,x\n", "column 'b' holds 'x' in row 2"),
        ("twice.csv", "a,a\n1,2\n", "two of its columns"),
        ("infinite.csv", "a,b\n1,inf\n", "column 'b'"),
    ):
        (tmp_path / name).write_text(text)
        yield name, said
    for name, shape, said in (
        ("negative.npy", (-1, 2), "an array of shape (-1, 2)"),
        ("true.npy", (True, 2), "an array of shape (True, 2)"),
        ("wide.npy", (0, 10**12), "promises 8000000000000 bytes"),
        ("bare.npy", (5, 0), "it has no column"),
        ("cut.npy", (3, 2), "3 bytes are missing"),
    ):
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": shape}
        )
        (tmp_path / name).write_bytes(header.getvalue() + bytes(45))
        yield name, said
    (tmp_path / "excel.csv").write_text("a,b\n1,2\n", encoding="utf-16")
    yield "excel.csv", "byte 1 is no UTF-8 text; save it as CSV in UTF-8"
    (tmp_path / "large.csv").write_text("a,b\n1,1e39\n")
    yield "large.csv", "column 'b' has a value that is no finite number in row 1"
    for name in ("no.npy", "no.npz", "no.parquet"):
        (tmp_path / name).write_bytes(b"PAR1 nothing")
        yield name, name


def test_a_table_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"none\.csv does not exist; give the path of a table"
    ):
        read_signal(tmp_path / "none.csv", DataConfig(features="series"))


def test_what_is_no_table_is_refused_in_a_sentence(tmp_path):
    for name, said in damaged(tmp_path):
        with pytest.raises(ValueError) as caught:
            read_table(tmp_path / name, KIND)
        assert str(tmp_path / name) in str(caught.value)
        assert said in str(caught.value)
    with pytest.raises(ValueError, match="no column 'c'; it has a, b"):
        read_table(tmp_path / "infinite.csv", replace(KIND, columns="c"))


def test_sequences_are_split_by_name_and_copies_left_out(tmp_path):
    for i in range(40):
        write_csv(tmp_path / f"{i}.csv", rows(seed=min(i, 38)))  # the last two are one
    config = DataConfig(features="series", data=str(tmp_path))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        splits = {split: load_split(config, split) for split in ("train", "valid", "test")}
    assert {str(w.message).split(":")[0] for w in caught} == {
        "1 of 40 sequences are copies of others and were left out"
    }
    assert sum(map(len, splits.values())) == 39
    assert (len(splits["valid"]), len(splits["test"])) == (2, 2)
    assert len(load_split(config, "all")) == 40
    assert not splits["train"].keys() & splits["test"].keys()


def test_a_table_that_cannot_be_used_is_named_and_the_others_keep_their_splits(tmp_path):
    for i in range(40):
        write_csv(tmp_path / f"{i}.csv", rows(seed=i))
    config = complete(tiny(data=str(tmp_path))).data
    before = {split: load_split(config, split) for split in ("train", "valid", "test")}
    gone = {min(before["train"]), min(before["test"])}
    for name in gone:
        (tmp_path / name).write_text("flow,level\n1,none of your business\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        after = {split: load_split(config, split) for split in before}
    for split, tables in before.items():
        assert after[split].keys() == tables.keys() - gone
    (said,) = {str(w.message) for w in caught}
    assert said.startswith("2 of 40 files cannot be used and were left out. ")
    assert all(f"{tmp_path / name} cannot be read" in said for name in gone)
    # Where a split would be empty, the next sequence takes the place.
    for name in before["test"]:
        (tmp_path / name).write_text("nothing\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {split: load_split(config, split) for split in before}
    assert all(found.values())
    assert not found["train"].keys() & found["test"].keys()


def test_the_columns_are_those_of_the_first_table_that_can_be_used(tmp_path):
    (tmp_path / "0.csv").write_text("when,what\nnow,this\n")
    for i in range(1, 6):
        write_csv(tmp_path / f"{i}.csv", rows(seed=i))
    with pytest.warns(UserWarning, match="1 of 6 files cannot be used"):
        assert complete(tiny(data=str(tmp_path))).data.columns == "flow,level"


def test_a_folder_of_which_too_few_tables_can_be_used_says_why(tmp_path):
    for i in range(4):
        (tmp_path / f"{i}.csv").write_text("flow,level\n1,x\n")
    config = DataConfig(features="series", data=str(tmp_path))
    with pytest.raises(ValueError, match=r"0\.csv cannot be read as a table: column 'level'"):
        load_split(config, "train")
    write_csv(tmp_path / "0.csv", rows())
    with (
        pytest.warns(UserWarning, match="3 of 4 files cannot be used"),
        pytest.raises(ValueError, match=r"give at least 3\. .*1\.csv cannot be read as a table"),
    ):
        load_split(config, "train")


def test_known_inputs_may_be_missing_where_they_were_in_training(tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    for i in range(5):
        write_csv(folder / f"{i}.csv", rows(seed=i))
    config = tiny(data=str(folder), inputs="level")
    assert not complete(config).model.missing_inputs
    lines = (folder / "2.csv").read_text().splitlines()
    lines[3] = lines[3].split(",")[0] + ","
    (folder / "2.csv").write_text("\n".join(lines))
    found = complete(config)
    assert (found.model.missing_inputs, found.model.missing) == (True, False)
    assert len(load_split(found.data, "all")) == 5
    best = fit(config, tmp_path / "run").best
    assert np.isfinite(best.scores["test"]["elbo"])
    known = np.concatenate([table[:, 1] for table in load_split(found.data, "train").values()])
    np.testing.assert_allclose(best.frontend.u_mean, [np.nanmean(known)], rtol=1e-5)
    future = rows(6, 1)
    future[2] = np.nan
    drawn = forecast(best, read_signal(folder / "2.csv", best.config.data), 6, u=future, paths=2)
    assert np.isfinite(drawn.samples).all()


@pytest.mark.parametrize(("value", "inputs"), [(3.0, ""), (np.nan, ""), (3.0, "level")])
def test_a_column_that_says_nothing_is_named(value, inputs):
    table = rows(40)
    table[:, 1] = value
    config = DataConfig(features="series", columns="flow,level", inputs=inputs)
    if inputs:
        config = replace(config, columns="flow")
    with pytest.raises(ValueError, match="The column 'level' has one value in all rows to train"):
        Frontend.fit(config, 1 if inputs else 2, [table, table[:10]])


def test_the_sequences_of_a_table_are_inspected_one_by_one(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    table = np.column_stack([np.repeat([7, 3, 5, 9], 12), rows(48)])
    write_csv(tmp_path / "in" / "a.csv", table, ("who", "flow", "level"))
    config = tiny(data=str(tmp_path / "in" / "a.csv"), sequence_column="who")
    fit(config, tmp_path / "run")
    capsys.readouterr()
    command = ["inspect", str(tmp_path / "run" / "best.safetensors")]
    main([*command, str(tmp_path / "in"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert [name for name in told if name.startswith("a.csv/")] == [
        f"a.csv/{i}" for i in (7, 3, 5, 9)
    ]
    main([*command, str(tmp_path / "in" / "a.csv" / "5"), "--json"])
    one = json.loads(capsys.readouterr().out)
    assert one["elbo"] == told["a.csv/5"]["elbo"]


def test_one_long_sequence_is_split_by_time_and_nothing_leaks(tmp_path):
    table = rows(100)

    def splits(table):
        write_csv(tmp_path / "a.csv", table)
        config = DataConfig(features="series", data=str(tmp_path))
        found = {
            split: list(load_split(config, split).values()) for split in ("train", "valid", "test")
        }
        return found, Frontend.fit(config, 2, found["train"])

    found, frontend = splits(table)
    np.testing.assert_allclose(
        np.concatenate([part for (part,) in found.values()]), table, rtol=1e-6
    )
    assert [len(part) for (part,) in found.values()] == [80, 10, 10]
    other = table.copy()
    other[80:] = 1e6
    _, same = splits(other)
    np.testing.assert_array_equal((same.mean, same.std), (frontend.mean, frontend.std))
    np.testing.assert_allclose(frontend.mean, table[:80].mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(frontend.std, table[:80].std(0), rtol=1e-5)


def test_the_data_say_how_many_columns_there_are(tmp_path):
    write_csv(tmp_path / "a.csv", rows(20, 3), ("a", "b", "c"))
    config = complete(tiny(data=str(tmp_path)))
    assert (config.model.x_dim, config.data.columns) == (3, "a,b,c")
    config = complete(tiny(data=str(tmp_path), columns="c"))
    assert (config.model.x_dim, config.data.columns) == (1, "c")
    assert complete(PRESETS["jsb"]) == PRESETS["jsb"]


GIVEN = {
    "arrays": lambda table: table,
    "tensors": torch.as_tensor,
    "data frames": lambda table: pd.DataFrame(table, columns=["flow", "level"]),
    "lists": np.ndarray.tolist,
}


@pytest.mark.parametrize("kind", GIVEN)
def test_a_program_trains_on_what_it_holds(tmp_path, kind):
    tables = [10 + 3 * rows(16, seed=i) for i in range(4)]
    data = {split: (GIVEN[kind](table) for table in tables) for split in ("train", "valid", "test")}
    run = fit(tiny(), tmp_path, data=data)
    found = load_checkpoint(tmp_path / "best.safetensors")
    assert found.config.data.columns == ("flow,level" if kind == "data frames" else "0,1")
    np.testing.assert_allclose(found.frontend.mean, np.concatenate(tables).mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.frontend.std, np.concatenate(tables).std(0), rtol=1e-5)
    assert np.isfinite(run.best.scores["test"]["elbo"])
    clip = inspect_signal(found, tables[0])
    assert clip.mean.shape == (16, 2)
    np.testing.assert_allclose(found.frontend.signal(clip.frames), tables[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "likelihoods"),
    [
        ("binary", ["bernoulli", "nade"]),
        ("count", ["poisson", "negative-binomial"]),
        ("category", ["categorical"]),
        ("real", ["student-t"]),
    ],
)
def test_each_kind_of_values_is_trained_on_and_drawn(tmp_path, values, likelihoods):
    generator = np.random.default_rng(0)
    draw = {
        "binary": lambda: generator.integers(0, 2, (16, 2)),
        "count": lambda: generator.poisson(50, (16, 2)),
        "category": lambda: generator.integers(0, 5, (16, 1)),
        "real": lambda: generator.standard_normal((16, 2)),
    }[values]
    data = {split: [draw() for _ in range(4)] for split in ("train", "valid", "test")}
    for likelihood in likelihoods:
        run = tiny()
        run = replace(
            run,
            model=replace(run.model, likelihood=likelihood),
            data=replace(run.data, values=values),
        )
        best = fit(run, tmp_path / likelihood, data=data).best
        assert np.isfinite(best.scores["test"]["elbo"])
        drawn = best.frontend.signal(generate(best.model, 30)[0].numpy())
        best.config.data.kind.frames(drawn, best.config.model.x_dim)  # which refuses other values
        assert drawn.shape == (30, 1 if values == "category" else 2)
        with pytest.raises(ValueError, match="columns; the model takes"):
            inspect_signal(best, np.zeros((9, 7), np.float32))


def test_values_of_another_kind_are_refused():
    for values, wrong in (("binary", 2.0), ("count", -1.0), ("count", 0.5), ("category", 3.0)):
        kind = DataConfig(features="series", values=values).kind
        with pytest.raises(ValueError, match=f"{wrong:g} in row 1; values of '{values}'"):
            kind.frames(np.full((4, 1), wrong, np.float32), 3 if values == "category" else 1)


WRONG = {
    "a fraction of counts": ("count", "3,2.5", "column 'level' holds 2.5 in row 4"),
    "a negative count": ("count", "-1,2", "column 'flow' holds -1 in row 4"),
    "a count among zeros and ones": ("binary", "1,2", "column 'level' holds 2 in row 4"),
    "a word": ("real", "1,dry", "column 'level' holds 'dry' in row 4, which is no number"),
    "no category": ("category", "NA,1", "a category is missing in column 'flow', row 4"),
    "too many categories": ("category", "1e9,1", "column 'flow' holds 1e\\+09 in row 4"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_with_a_value_of_another_kind_is_named_and_the_others_keep_their_splits(
    tmp_path, wrong
):
    values, line, said = WRONG[wrong]
    for i in range(40):
        write_csv(tmp_path / f"{i}.csv", np.random.default_rng(i).integers(0, 2, (40, 2)))
    given = {"data": str(tmp_path), "values": values}
    given |= {"columns": "flow"} if values == "category" else {}
    config = new_config("series", given).data
    before = {split: load_split(config, split) for split in ("train", "valid", "test")}
    gone = min(before["train"])
    lines = (tmp_path / gone).read_text().splitlines()
    (tmp_path / gone).write_text("\n".join([*lines[:4], line, *lines[5:]]))
    with pytest.warns(UserWarning, match=f"1 of 40 files cannot .*{gone} cannot .*{said}"):
        assert new_config("series", given).data == config
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        after = {split: load_split(config, split) for split in before}
    for split, tables in before.items():
        assert after[split].keys() == tables.keys() - {gone}
    # Alone, it stops the training, in the same words.
    with pytest.raises(ValueError, match=f"{gone} cannot be read as a table: {said}"):
        new_config("series", given | {"data": str(tmp_path / gone)})


def test_a_sequence_that_a_program_holds_is_named_with_the_value_of_another_kind(tmp_path):
    counts = [np.full((6, 2), 3.0) for _ in range(3)]
    wrong = [*counts[:2], np.array([[1, 2], [3, -1.0]])]
    run = tiny()
    model, data = (
        replace(run.model, likelihood="poisson"),
        replace(run.data, values="count"),
    )
    config = replace(run, model=model, data=data)
    with pytest.raises(ValueError, match=r"Sequence 2 of 'valid' .*column '1' holds -1 in row 2"):
        fit(config, tmp_path, data={"train": counts, "valid": wrong, "test": counts})


def test_values_and_likelihood_follow_from_each_other(tmp_path):
    write_csv(tmp_path / "a.csv", np.random.default_rng(0).integers(0, 2, (40, 2)))
    for values, likelihood in (("count", "poisson"), ("binary", "bernoulli"), ("real", "gaussian")):
        for given in ({"values": values}, {"likelihood": likelihood}):
            config = new_config("series", {"data": str(tmp_path), **given})
            assert (config.data.values, config.model.likelihood) == (values, likelihood)
    config = new_config("series", {"data": str(tmp_path), "likelihood": "negative-binomial"})
    assert config.data.values == "count"
    with pytest.raises(ValueError, match="choose poisson or negative-binomial"):
        new_config("series", {"data": "none", "values": "count", "likelihood": "gaussian"})


def test_tables_with_and_without_names_say_how_they_differ(tmp_path):
    for i in range(4):
        write_csv(tmp_path / f"{i}.csv", rows(seed=i))
    np.savetxt(tmp_path / "0.csv", rows(), delimiter=",")  # of which nobody else's names are 0, 1
    config = complete(tiny(data=str(tmp_path)))
    assert config.data.columns == "flow,level"
    np.testing.assert_allclose(read_sequences(config.data)["0.csv"], rows(), rtol=1e-6)
    np.savetxt(tmp_path / "0.csv", rows(columns=3), delimiter=",")
    with pytest.warns(UserWarning, match="no column 'flow': it has 3 columns without names; exp"):
        read_sequences(config.data)
    unnamed = replace(KIND, columns="0,1")
    with pytest.raises(ValueError, match="its first line names flow, level; expected 2 columns wi"):
        read_table(tmp_path / "1.csv", unnamed)


def test_a_gaussian_of_counts_is_refused_and_what_fits_is_named():
    with pytest.raises(ValueError, match="choose poisson or negative-binomial"):
        RunConfig(
            model=ModelConfig(likelihood="gaussian"),
            data=DataConfig(features="series", values="count"),
        )


def test_the_command_line_trains_measures_inspects_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tables").mkdir()
    for i in range(24):
        write_csv(tmp_path / "tables" / f"{i}.csv", 100 + rows(16, seed=i))

    def run(*argv):
        assert main([*argv, "--json"]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    small = ["--d-dim=5", "--z-dim=2", "--hidden-dim=6", "--epochs=1", "--batch-size=4"]
    trained = run("train", "series", "--data=tables", "--columns=level,flow", *small, "--out=run")
    assert trained["model"]["likelihood"] == "gaussian"
    best = "run/best.safetensors"
    assert run("evaluate", best)["sequences"] == 1
    assert (
        run("inspect", best, "tables/3.csv", "--out=seen", "--picture=seen/rows.svg")["frames"]
        == 16
    )
    shown = re.findall(r">([^<>]+)</text>", Path("seen/rows.svg").read_text())
    assert {"level", "flow", "x", "mean", "mean − 2 sd", "mean + 2 sd"} <= set(shown)
    assert np.load("seen/posterior.npz")["mean"].shape == (16, 2)
    for name in ("a.csv", "a.npy"):
        assert (
            run("sample", best, f"--out={name}", "--prime=tables/3.csv", "--steps=4")["frames"]
            == 20
        )
    config = load_checkpoint(best).config.data
    np.testing.assert_allclose(read_signal("a.csv", config), np.load("a.npy"), rtol=1e-6)
    np.testing.assert_allclose(
        np.load("a.npy")[:16], read_signal("tables/3.csv", config), rtol=1e-5
    )
    assert main(["inspect", "jsb", "tables/3.csv"]) == 1
    assert "is a table, and the model was trained on MIDI" in capsys.readouterr().err


PAIRS = {
    "a tuple of arrays": lambda rows: (rows[:, :2], rows[:, 2:]),
    "a tuple of data frames": lambda rows: (
        pd.DataFrame(rows[:, :2], columns=["flow", "level"]),
        pd.DataFrame(rows[:, 2:], columns=["rain"]),
    ),
    "a data frame with columns of both": lambda rows: pd.DataFrame(
        rows[:, [2, 0, 1]], columns=["rain", "flow", "level"]
    ),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_a_program_trains_on_sequences_with_known_inputs(tmp_path, kind):
    tables = [10 + 3 * rows(16, 3, seed=i) for i in range(4)]
    data = {split: map(PAIRS[kind], tables) for split in ("train", "valid", "test")}
    named = "data" in kind
    run = tiny(inputs="rain" if kind.startswith("a data") else "")
    fit(run, tmp_path, data=data)
    found = load_checkpoint(tmp_path / "best.safetensors")
    config, joined = found.config, np.concatenate(tables)
    assert (config.data.columns, config.data.inputs) == (
        ("flow,level", "rain") if named else ("0,1", "u0")
    )
    assert (config.model.x_dim, config.model.u_dim) == (2, 1)
    np.testing.assert_allclose(found.frontend.mean, joined[:, :2].mean(0), rtol=1e-5)
    np.testing.assert_allclose(
        (found.frontend.u_mean, found.frontend.u_std), (joined[:, 2:].mean(0), joined[:, 2:].std(0))
    )
    clip = inspect_signal(found, tables[0])
    assert clip.frames.shape == clip.mean.shape == (16, 2)
    drawn = forecast(found, tables[0][:10], 6, u=tables[0][10:, 2:], paths=3)
    assert drawn.samples.shape == (3, 6, 2)
    with pytest.raises(ValueError, match="0 known inputs are given for 6 frames"):
        forecast(found, tables[0][:10], 6, paths=3)


def test_what_is_masked_is_missing():
    table = rows(6)
    masked = np.ma.masked_array(table, np.zeros((6, 2), bool))
    masked[2, 1] = np.ma.masked
    expected = table.copy()
    expected[2, 1] = np.nan
    np.testing.assert_array_equal(as_rows(masked, KIND), expected)
    np.testing.assert_array_equal(
        as_rows(np.ma.masked_array([1, 2], [0, 1]), KIND), [[1], [np.nan]]
    )
    with pytest.raises(ValueError, match="masked array; give one with NaN"):
        Frontend.plain(DataConfig(features="series")).frames(masked, 2)


def test_inputs_that_do_not_fit_are_refused(tmp_path):
    x, u = rows(9), rows(9, 1)
    for pairs, said in (
        ([(x, u[:5])], "known inputs 5 rows"),
        ([(x, u), (x, x)], "expected as many rows of 1"),
    ):
        with pytest.raises(ValueError, match=said):
            fit(tiny(), tmp_path, data=dict.fromkeys(("train", "valid", "test"), pairs))
    write_csv(tmp_path / "a.csv", rows(20))
    with pytest.raises(ValueError, match="'flow' is among --columns and --inputs"):
        complete(tiny(data=str(tmp_path), columns="flow,level", inputs="flow"))
    with pytest.raises(ValueError, match="no column 'rain'"):
        complete(tiny(data=str(tmp_path), inputs="rain"))


def test_the_command_line_takes_columns_as_inputs_and_forecasts_with_those_of_the_future(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "a.csv", 100 + rows(60, 3), ("hour", "flow (m³/s)", "level"))
    write_csv(tmp_path / "next.csv", 100 + rows(4, 1), ("hour",))
    small = [
        "--d-dim=5",
        "--z-dim=2",
        "--hidden-dim=6",
        "--epochs=1",
        "--batch-size=2",
        "--segment-length=8",
    ]
    assert (
        main(
            [
                "train",
                "series",
                "--data=a.csv",
                "--inputs=hour",
                "--no-feedback",
                *small,
                "--out=run",
            ]
        )
        == 0
    )
    config = load_checkpoint("run/best.safetensors").config
    assert (config.data.columns, config.data.inputs, config.model.feedback) == (
        "flow (m³/s),level",
        "hour",
        False,
    )
    given = ["run/best.safetensors", "a.csv"]
    assert main(["inspect", *given, "--out=seen", "--picture=seen/rows.svg"]) == 0
    assert {"Known input hour", "level", "flow (m³/s)"} <= set(
        re.findall(r">([^<>]+)</text>", Path("seen/rows.svg").read_text())
    )
    assert main(["forecast", *given, "--future=next.csv", "--out=drawn.csv", "--paths=3"]) == 0
    lines = Path("drawn.csv").read_text().splitlines()
    assert (len(lines), lines[0].startswith("time,flow (m³/s) mean")) == (5, True)
    capsys.readouterr()
    assert main(["forecast", *given, "--out=drawn.csv"]) == 1
    assert "give those of the future to forecast" in capsys.readouterr().err
    sample = ["sample", "run/best.safetensors", "--out=new.csv"]
    assert main(sample) == 1
    assert "reads the known inputs hour; give those of the future" in capsys.readouterr().err
    assert main([*sample, "--future=next.csv", "--steps=5"]) == 1
    assert "4 rows of 1 known inputs are given for 5 frames" in capsys.readouterr().err
    assert main([*sample, "--future=next.csv", "--prime=a.csv"]) == 0
    # What is drawn is a table of the model's: what was given, then four rows with their inputs.
    assert Path("new.csv").read_text().splitlines()[0] == "flow (m³/s),level,hour"
    before, new = (read_signal(f"{name}.csv", config.data) for name in ("a", "new"))
    assert new.shape == (64, 3)
    np.testing.assert_allclose(new[:60], before, rtol=1e-5)
    np.testing.assert_allclose(new[60:, 2], 100 + rows(4, 1)[:, 0], rtol=1e-6)
    drawn = forecast(
        load_checkpoint("run/best.safetensors"), before, 4, u=100 + rows(4, 1), paths=1
    )
    np.testing.assert_allclose(new[60:, :2], drawn.samples[0], rtol=1e-4)
    assert main(["inspect", "run/best.safetensors", "new.csv"]) == 0


def test_a_missing_category_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "a.csv").write_text("kind,time\n0,1\n,2\n2,3\n")
    run = PRESETS["series"]
    data = replace(run.data, data=str(tmp_path), columns="kind", values="category")
    with pytest.raises(
        ValueError, match=r"a\.csv .*category is missing in column 'kind', row 2; give"
    ):
        complete(replace(run, data=data, model=replace(run.model, likelihood="categorical")))


def test_a_run_goes_on_with_what_stood_in_u_when_it_began(tmp_path):
    """Before that could be chosen, it was 0; the same command continues such a run."""
    (tmp_path / "in").mkdir()
    for i in range(4):
        write_csv(tmp_path / "in" / f"{i}.csv", rows(seed=i))
    sizes = ["--d-dim=5", "--z-dim=2", "--hidden-dim=6", f"--resume={tmp_path / 'run'}"]
    command = ["train", "series", f"--data={tmp_path / 'in'}", *sizes]
    assert main([*command, "--epochs=1", "--stand-in=zero"]) == 0
    assert main([*command, "--epochs=2"]) == 0
    model = load_checkpoint(tmp_path / "run" / "last.safetensors").config.model
    assert model.stand_in == "zero"
