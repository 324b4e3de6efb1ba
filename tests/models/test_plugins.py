"""Another package's models, likelihoods and data sets: the one in docs/models.md, installed."""

import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from tiny import SIZES

from srnn_lab.checkpoint import load_checkpoint
from srnn_lab.cli import main
from srnn_lab.config import DataConfig, ModelConfig
from srnn_lab.data import DATASETS, load_split
from srnn_lab.models import MODELS, build_model
from srnn_lab.models.likelihoods import LIKELIHOODS
from srnn_lab.system.plugins import Registry

PAGE = (
    (Path(__file__).parents[2] / "docs" / "models.md")
    .read_text()
    .partition("## In a package of your own")[2]
)
REGISTRIES = (MODELS, LIKELIHOODS, DATASETS)


def install(folder, source, declared):
    """A package as pip installs it: a module, and what it declares beside it."""
    (folder / "my_models.py").write_text(source)
    info = folder / "my_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-models\nVersion: 1.0\n")
    lines = [
        f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in names.items())
        for group, names in declared.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))


def example():
    """The module and the entry points of the page."""
    source, toml = (
        re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[1] for kind in ("python", "toml")
    )
    return source, tomllib.loads(toml)["project"]["entry-points"]


@pytest.fixture
def installed(tmp_path_factory, monkeypatch):
    """The page's package, until the test ends."""
    folder = tmp_path_factory.mktemp("site")
    install(folder, *example())
    monkeypatch.syspath_prepend(folder)
    yield folder
    forget()


def forget():
    """As in a process that has not asked for a plugin."""
    sys.modules.pop("my_models", None)
    for registry, name in zip(REGISTRIES, ("bounded-srnn", "my-laplace", "glides"), strict=True):
        registry.pop(name, None)


def test_the_page_s_package_is_trained_evaluated_sampled_and_missed_in_one_sentence(
    installed, tmp_path, capfd
):
    sizes = {
        **SIZES,
        "x_dim": 80,
        "frame_length": 80,
        "sample_rate": 8000,
        "epochs": 1,
        "batch_size": 2,
    }
    options = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in {**sizes, "segment_length": 8}.items()
    ]
    chosen = [
        "--model=bounded-srnn",
        "--likelihood=my-laplace",
        "--data=glides",
        "--start-from-mean",
    ]
    assert main(["train", "voice", *chosen, *options, f"--out={tmp_path / 'run'}"]) == 0
    best = str(tmp_path / "run" / "best.safetensors")
    checkpoint = load_checkpoint(best)
    assert type(checkpoint.model).__name__ == "BoundedSRNN"
    assert main(["evaluate", best, "--bound=iwae:2"]) == 0
    assert main(["sample", best, "--steps=5", f"--out={tmp_path / 'new.wav'}"]) == 0
    assert main(["train", "voice", *chosen, "--features-z=on", f"--out={tmp_path / 'none'}"]) == 1
    assert "--features-z has no effect where model is 'bounded-srnn'" in capfd.readouterr().err
    sys.path.remove(str(installed))
    forget()
    assert main(["evaluate", best]) == 1
    (said,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("srnn-lab:")]
    assert "'bounded-srnn'; choose one of srnn" in said
    assert said.endswith("or install the package that brings it.")


def test_nothing_is_imported_that_is_not_asked_for(installed):
    build_model(ModelConfig(**SIZES))
    assert "glides" in DATASETS
    assert "bounded-srnn" in MODELS.choices()
    assert "bounded-srnn" not in list(MODELS)
    with pytest.raises(
        ValueError, match=r"'gan'; choose one of srnn, .*bounded-srnn, or install the package"
    ):
        build_model(ModelConfig(model="gan"))
    assert "my_models" not in sys.modules
    build_model(ModelConfig(model="bounded-srnn", likelihood="my-laplace", **SIZES))
    assert "my_models" in sys.modules


def test_the_page_s_likelihood_is_the_distribution_that_it_says(installed):
    laplace = LIKELIHOODS["my-laplace"](ModelConfig(x_dim=3))
    x, mu, scale = np.random.default_rng(0).normal(size=(3, 5, 3))
    params = torch.as_tensor(np.concatenate([mu, scale], -1))
    expected = scipy.stats.laplace(mu, np.exp(scale) + 1e-6)
    found = laplace.log_prob(params, torch.as_tensor(x)).numpy()
    np.testing.assert_allclose(found, expected.logpdf(x).sum(-1), rtol=1e-6)
    np.testing.assert_allclose(laplace.variance(params).numpy(), expected.var(), rtol=1e-6)
    drawn = laplace.sample(params[:1].expand(100_000, -1), torch.Generator().manual_seed(0)).numpy()
    for value, own in zip(drawn.T, np.stack([mu[0], np.exp(scale[0])], -1), strict=True):
        assert scipy.stats.kstest(value, scipy.stats.laplace(*own).cdf).pvalue > 0.001
    np.testing.assert_array_equal(laplace.sample(params, temperature=0.0), mu)


def test_a_data_set_is_found_by_its_name(installed):
    config = DataConfig(data="glides", features="raw", sample_rate=8000, frame_length=80)
    assert [len(signal) for signal in load_split(config, "test").values()] == [8000] * 8


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("nowhere:Model", "cannot be imported (No module named 'nowhere')"),
        ("my_models:Nothing", "cannot be imported (module 'my_models' has no attribute 'Nothing')"),
        ("my_models:Laplace", "'my_models:Laplace'; expected a SequenceModel"),
        ("my_models:glides", "'my_models:glides'; expected a SequenceModel"),
    ],
)
def test_an_entry_point_that_is_no_model_is_named(declared, said, tmp_path, monkeypatch):
    install(
        tmp_path, example()[0], {"srnn_lab.models": {"bounded-srnn": declared, "srnn": declared}}
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=re.escape(said)):
        build_model(ModelConfig(model="bounded-srnn"))
    build_model(ModelConfig(**SIZES))  # the package's own srnn, whatever others declare
    forget()


def test_without_plugins_a_registry_is_a_dictionary():
    registry = Registry("srnn_lab.none", int, {"one": 1})
    assert (dict(registry), registry["one"], "two" in registry, registry.choices()) == (
        {"one": 1},
        1,
        False,
        "one",
    )
    with pytest.raises(KeyError, match="two"):
        registry["two"]
