"""Searches before the runs of a grid: which jobs there are, and what an edit makes again."""

from __future__ import annotations

import csv
import json

import pytest
import yaml
from workflows import Workflow, copy_workflow

pytest.importorskip("snakemake")
pytestmark = pytest.mark.slow

ALWAYS = {"aggregate": 1, "report": 1, "tuning": 1}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A tuned grid that has run to its end, with the fake command."""
    folder = tmp_path_factory.mktemp("tuned") / "project"
    copy_workflow(folder)
    workflow = Workflow(folder)
    write(workflow)
    workflow.snakemake("--cores", "2", "--quiet", "all")
    calls = workflow.calls()
    # Two arms and two seeds of one partition, each with three points.
    assert sum("--point" in call for call in calls) == 12
    assert sum(call.startswith("choose") for call in calls) == 4
    trained = [call for call in calls if call.startswith("run ") and "--point" not in call]
    assert len(trained) == 4
    for call in trained:
        cell = call.split(" --dataset ")[1].split(" --split")[0]
        chosen = [one for one in calls if one.startswith("choose") and f" {cell} " in one]
        assert calls.index(chosen[0]) < calls.index(call)
    return workflow


def write(workflow, tune=None, **changes):
    usual = {"partitions": ["iid"], "tune": {"points": 3, **(tune or {})}}
    workflow.write_grid(**{**usual, **changes})


def test_an_edit_of_a_search_makes_again_what_depends_on_it(tuned):
    assert tuned.planned() == {}
    # One further point of each search; what was trained stays.
    write(tuned, {"points": 4})
    assert tuned.planned() == {**ALWAYS, "tune": 4, "choose": 4, "train": 4}
    write(tuned, {"seed": 7})
    assert tuned.planned() == {**ALWAYS, "tune": 12, "choose": 4, "train": 4}
    # The first seed's points are there already; its choice is compared for both seeds.
    write(tuned, {"folds": "first"})
    assert tuned.planned() == {**ALWAYS, "choose": 2, "train": 4}
    write(tuned)
    path = tuned.folder / "params/algorithms.yaml"
    text = path.read_text()
    arms = yaml.safe_load(text)
    arms["fedprox"]["search"]["mu"]["high"] = 0.5
    path.write_text(yaml.safe_dump(arms))
    # Points 2 and 3 of one arm: point 1 is what is shipped.
    assert tuned.planned() == {**ALWAYS, "tune": 4, "choose": 2, "train": 2}
    path.write_text(text)
    assert tuned.planned() == {}


def test_an_untuned_grid_has_no_search(tuned):
    tuned.write_grid(partitions=["iid"], output_dir="elsewhere")
    assert tuned.planned() == {"train": 4, "aggregate": 1, "report": 1}
    write(tuned)


def test_a_seed_that_is_compared_too_stops_the_start(tuned):
    write(tuned, {"seed": 1})
    done = tuned.snakemake("--dry-run", check=False)
    assert done.returncode != 0
    assert "tune.seed is 1, which is one of seeds too" in done.stdout + done.stderr
    write(tuned)


def test_a_tuned_grid_with_the_real_command(tmp_path):
    """Each run has the values that were best on its own validation samples, and says so."""
    folder = tmp_path / "project"
    copy_workflow(folder)
    project = Workflow(folder, fake=False)
    project.environment["PYTHONPATH"] = str(folder)
    training = {"batch_size": 16, "device": "cpu", "learning_rate": 0.05}
    write(
        project,
        {"points": 2},
        datasets=["phantom-16"],
        arms=["fedavg", "centralized"],
        num_clients=3,
        run={"federated_learning": {"rounds": 1, "local_steps": 3}, "training": training},
    )
    project.snakemake("--cores", "2", "--quiet", "all")
    assert project.planned() == {}
    with open(folder / "results/tuning/tuning.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    # `centralized` is searched once for all partitions that share its run.
    assert [row["partition"] for row in rows] == ["iid"] * 4 + ["pooled"] * 4
    records = list((folder / "results/runs").rglob("metrics.json"))
    assert len(records) == 4
    for record in records:
        run = json.loads(record.read_text())
        mine = (run["partition"], run["arm"], str(run["seed"]))
        search = [row for row in rows if (row["partition"], row["arm"], row["seed"]) == mine]
        best = max(search, key=lambda row: float(row["validation"]))
        assert best["chosen"] == "1"
        config = yaml.safe_load(record.with_name("config.yaml").read_text())
        rate = config["training"]["learning_rate"]
        assert best["values"] == f"training.learning_rate = {rate}"
        assert run["provenance"]["tuning"]["values"] == {"training.learning_rate": rate}
        # The same patients in the same folds, and another training.
        place = record.parent.relative_to(folder / "results/runs")
        point = folder / "results/tuning" / place / f"point{best['point']}" / "metrics.json"
        tried = json.loads(point.read_text())
        assert tried["provenance"]["split_sha256"] == run["provenance"]["split_sha256"]
        assert (tried["seed"], run["seed"]) == (1000, int(best["seed"]))
        assert tried["last"]["val"]["log_loss"] != run["last"]["val"]["log_loss"]
