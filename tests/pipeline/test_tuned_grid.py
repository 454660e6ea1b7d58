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


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A small tuned grid that the real command has made."""
    folder = tmp_path_factory.mktemp("real") / "project"
    copy_workflow(folder)
    project = Workflow(folder, fake=False)
    project.environment["PYTHONPATH"] = str(folder)
    write_real(project)
    project.snakemake("--cores", "2", "--quiet", "all")
    return project


def write_real(project, rounds=1, **changes):
    training = {"batch_size": 16, "device": "cpu", "learning_rate": 0.05}
    usual = {
        "datasets": ["phantom-16"],
        "partitions": ["iid"],
        "arms": ["fedavg", "centralized"],
        "num_clients": 3,
        "run": {"federated_learning": {"rounds": rounds, "local_steps": 8}, "training": training},
        "tune": {"points": 2},
    }
    project.write_grid(**{**usual, **changes})


def test_each_run_has_the_values_that_were_best(real):
    """On its own validation samples, and its record says so."""
    project, folder = real, real.folder
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


def test_an_equal_choice_leaves_the_runs(real):
    """With one more point, then without tuning: what has the same values is not trained again."""
    slow, fast = 1e-7, 0.05
    rates = {"still": [fast, slow, slow / 10], "better": [slow, slow / 10, fast]}
    arms = {
        name: {
            "algorithm": "fedavg",
            "training": {"learning_rate": values[0]},
            "search": {"training.learning_rate": values},
        }
        for name, values in rates.items()
    }
    # The second point of both is the slowest, and the third of one the fast.
    grid = {"arms": [*rates], "arm_settings": arms, "seeds": [0], "output_dir": "results/again"}
    write_real(real, **grid, rounds=8)
    real.snakemake("--cores", "2", "--quiet", "all")
    before = made(real)
    assert [before[arm]["points"] for arm in rates] == [2, 2]
    write_real(real, **grid, rounds=8, tune={"points": 3})
    real.snakemake("--cores", "2", "--quiet", "all")
    assert real.planned() == {}
    after = made(real)
    assert [after[arm]["points"] for arm in rates] == [3, 3]
    assert [after[arm]["rate"] for arm in rates] == [fast, fast]
    assert after["still"] | {"points": 2} == before["still"]
    assert after["better"]["model"] != before["better"]["model"]
    write_real(real, **grid, rounds=8, tune=None)
    real.snakemake("--cores", "2", "--quiet", "all")
    assert real.planned() == {}
    untuned = made(real)
    assert untuned["still"] == after["still"] | {"points": None}
    assert untuned["better"]["rate"] == slow


def made(project):
    """Of each arm: the rate of its run, when that was trained, and how many points it notes."""
    found = {}
    for record in (project.folder / "results/again/runs").rglob("metrics.json"):
        config = yaml.safe_load(record.with_name("config.yaml").read_text())
        origin = json.loads(record.read_text())["provenance"]
        found[config["arm"]] = {
            "rate": config["training"]["learning_rate"],
            "model": record.with_name("model.safetensors").stat().st_mtime_ns,
            "started": origin["started"],
            "points": len(origin["tuning"]["points"]) if "tuning" in origin else None,
        }
    return found
