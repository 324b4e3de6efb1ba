"""The workflows: what they install and run is there, and they cover what pyproject.toml claims."""

import os
import re
import shlex
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from test_packaging import PROJECT, ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
JOBS = {
    f"{name}/{job}": found
    for name, workflow in WORKFLOWS.items()
    for job, found in workflow["jobs"].items()
}
(TORCH,) = (r for r in map(Requirement, PROJECT["project"]["dependencies"]) if r.name == "torch")


def commands(job):
    """The lines that a job runs."""
    return [line for step in job["steps"] if "run" in step for line in step["run"].splitlines()]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_runs_by_itself_and_may_read_alone(name):
    triggers = WORKFLOWS[name][True]  # YAML reads "on" as a boolean
    assert {"push", "schedule"} & triggers.keys()
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_ends_and_installs_and_runs_what_is_there(name):
    job = JOBS[name]
    assert 0 < job["timeout-minutes"] <= 60
    uses = [step["uses"] for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", used) for used in uses)
    assert uses[0].startswith("actions/checkout@")
    extras, markers = (
        PROJECT["project"]["optional-dependencies"],
        PROJECT["tool"]["pytest"]["ini_options"]["markers"],
    )
    for line in commands(job):
        words = shlex.split(line)
        if words[0].startswith("."):
            assert os.access(ROOT / words[0], os.X_OK)
        for extra in re.findall(r"\.\[(\w+)\]", line):
            assert extra in extras
        if words[0] == "pytest":
            paths = [word for word in words[1:] if "/" in word]
            assert all(Path(ROOT, path).exists() for path in paths)
            chosen = words[words.index("-m") + 1] if "-m" in words else ""
            known = {marker.partition(":")[0] for marker in markers}
            assert set(chosen.split()) - {"not", "and", "or"} <= known
    assert any(line.startswith(("pytest", ".ci/run")) for line in commands(job))


def test_the_whole_of_ci_runs_and_the_fast_tests_on_each_python_system_and_end_of_torch():
    jobs = WORKFLOWS["tests"]["jobs"]
    assert ".ci/run" in commands(jobs["all"])
    matrix = jobs["fast"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert all(
        version in SpecifierSet(PROJECT["project"]["requires-python"])
        for version in matrix["python"]
    )
    assert "3.10" not in SpecifierSet(PROJECT["project"]["requires-python"])
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos"}
    (lowest,) = (spec.version for spec in TORCH.specifier if spec.operator == ">=")
    oldest, newest = map(SpecifierSet, matrix["torch"])
    assert lowest in oldest
    versions = [f"2.{minor}.0" for minor in range(30)]
    assert [version for version in versions if version in oldest] == [f"{lowest}.0"]
    assert [version for version in versions if version in newest & TORCH.specifier] == [
        version for version in versions if version in TORCH.specifier
    ]
    assert "pytest -m 'not alone and not slow'" in commands(jobs["fast"])


def test_the_lowest_versions_of_all_are_tested():
    assert any("--resolution lowest-direct" in line for line in commands(JOBS["lowest/test"]))
