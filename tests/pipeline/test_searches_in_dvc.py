"""Searches of a tuned grid beside DVC: who versions the runs alone is told of it."""

from __future__ import annotations

import shutil

import pytest
import yaml
from workflows import ROOT, Workflow, copy_workflow

from medfl.grid import load_grid
from medfl.pipeline.tuning import unversioned

STAGE = "benchmark"
COMMENT = "      # - results/tuning:\n      #     persist: true\n"


def grid(**changes):
    content = {
        "arms_file": None,
        "arm_settings": {"fedavg": {"algorithm": "fedavg"}},
        "datasets": ["phantom"],
        "partitions": ["iid"],
        "arms": ["fedavg"],
        "seeds": [0],
        "output_dir": "results",
        "tune": {"points": 2},
    }
    return load_grid({**content, **changes}, "the grid")


def uncommented(text):
    assert COMMENT in text
    return text.replace(COMMENT, COMMENT.replace("# ", ""))


def test_the_projects_own_stage_leaves_searches_out_until_its_comment_is_none(tmp_path):
    path = tmp_path / "dvc.yaml"
    shutil.copy(ROOT / "dvc.yaml", path)
    [line] = unversioned(grid(), STAGE, path)
    assert "dvc.yaml versions results/runs and not results/tuning" in line
    assert "outs of the stage `benchmark`" in line
    path.write_text(uncommented(path.read_text()))
    assert {"results/tuning": {"persist": True}} in yaml.safe_load(path.read_text())["stages"][
        STAGE
    ]["outs"]
    assert unversioned(grid(), STAGE, path) == []


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({"tune": None}, STAGE),
        ({}, ""),  # DVC is not at work
        ({}, "split@phantom"),
        ({"output_dir": "elsewhere"}, STAGE),  # whose runs the stage does not version either
    ],
)
def test_nothing_is_said_where_no_search_is_left_out(changes, stage):
    assert unversioned(grid(**changes), stage, ROOT / "dvc.yaml") == []


@pytest.mark.parametrize("text", ["", "[]", "stages: 3", "stages: {benchmark: {outs: }}"])
def test_another_dvc_yaml_is_none_of_ours(text, tmp_path):
    path = tmp_path / "dvc.yaml"
    path.write_text(text)
    assert unversioned(grid(), STAGE, path) == []
    assert unversioned(grid(), STAGE, tmp_path / "none.yaml") == []


@pytest.mark.slow
def test_dvc_brings_searches_back_and_nothing_is_searched_again(tmp_path):
    pytest.importorskip("dvc")
    pytest.importorskip("snakemake")
    folder = tmp_path / "project"
    copy_workflow(folder)
    project = Workflow(folder)
    project.write_grid(partitions=["iid"], seeds=[0], tune={"points": 2})
    project.git("init", "--quiet")
    told = "dvc.yaml versions results/runs and not results/tuning"
    assert told in project.dvc("repro")
    path = folder / "dvc.yaml"
    path.write_text(uncommented(path.read_text()))
    assert told not in project.dvc("repro")
    project.calls()
    shutil.rmtree(folder / "results")
    project.dvc("checkout")
    assert (folder / "results/tuning/phantom/iid/fedavg/seed0/chosen.json").is_file()
    project.dvc("repro")
    assert [call for call in project.calls() if call.startswith(("run", "choose"))] == []
