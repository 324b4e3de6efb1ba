"""Each model's arrows against the paper's Figure 4, and what the documentation says of them."""

from pathlib import Path

import pytest

from srnn_lab.analysis.arrows import QUESTIONS, arrows
from srnn_lab.models import MODELS

RECURRENT = {("u_t", "d_t"), ("d_t-1", "d_t")}
EMITTED = {("d_t", "x_t"), ("z_t", "x_t")}
FIGURE_4 = {
    "storn": RECURRENT | {("z_t", "d_t"), ("d_t", "x_t")},
    "vrnn": RECURRENT | EMITTED | {("z_t-1", "d_t"), ("d_t", "z_t")},
    "vrnn-i": RECURRENT | EMITTED | {("z_t-1", "d_t")},
    "dkf": {("z_t-1", "z_t"), ("z_t", "x_t")},
    "srnn": RECURRENT | EMITTED | {("z_t-1", "z_t"), ("d_t", "z_t")},
    "rnn": RECURRENT | {("d_t", "x_t")},
    "vrae": RECURRENT | {("z_t", "d_t"), ("d_t", "x_t")},
    "tsbn": EMITTED | {("u_t", "d_t"), ("z_t-1", "z_t"), ("d_t", "z_t")},
}
DOCUMENT = Path(__file__).parents[2] / "docs/models.md"


@pytest.mark.parametrize("model", MODELS)
def test_the_arrows_are_those_of_the_paper(model):
    assert set(arrows(model=model).generative) == FIGURE_4[model]


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({"model": "srnn"}, {"z_t-1", "d_t", "x_t", "x_t+1"}),
        ({"model": "srnn", "smoothing": False}, {"z_t-1", "d_t", "x_t"}),
        ({"model": "srnn", "smoothing": False, "residual": False}, {"z_t-1", "d_t", "x_t"}),
        ({"model": "srnn", "posterior": "tridiagonal"}, {"z_t-1", "d_t", "x_t", "x_t+1"}),
        ({"model": "dkf"}, {"z_t-1", "x_t", "x_t+1"}),
        ({"model": "vrnn"}, {"d_t", "x_t"}),
        ({"model": "storn"}, {"x_t-1", "x_t"}),
        ({"model": "tsbn"}, {"z_t-1", "d_t", "x_t"}),
        ({"model": "vrae"}, {"x_t", "x_t+1"}),
        ({"model": "rnn"}, set()),
    ],
)
def test_the_posterior_reads_what_it_is_said_to(settings, read):
    assert set(arrows(**settings).posterior) == read


def test_two_frames_are_drawn_with_each_arrow_in_both():
    nodes, edges = arrows(model="dkf").graph()
    assert set(edges) == {("z_t-1", "z_t"), ("z_t", "x_t"), ("z_t-1", "x_t-1")}
    assert set(nodes) == {"z_t-1", "z_t", "x_t-1", "x_t"}
    assert {nodes[name][1] for name in ("z_t-1", "z_t")} == {2}


@pytest.mark.parametrize("model", MODELS)
def test_the_documentation_answers_the_three_questions_as_the_model_does(model):
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENT.read_text().splitlines()
    ]
    (header,) = [row for row in rows if tuple(row[2:5]) == QUESTIONS]
    (row,) = [row for row in rows if row[0] == f"`{model}`" and len(row) == len(header)]
    for said, answer in zip(row[2:5], arrows(model=model).answers, strict=True):
        assert said.startswith(answer)
