"""Starts of one grid: a second one beside the first, after a kill, and where no records are."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from medfl.federated.code import run_code
from medfl.federated.fingerprint import fingerprint
from medfl.files import sha256_file, take_lock
from medfl.grid import load_grid
from medfl.results.paths import RECORD

ALWAYS = {"aggregate": 1, "report": 1}


def as_in_a_clone(workflow) -> Path:
    """Take Snakemake's records away, and let those of the runs say where they come from."""
    shutil.rmtree(workflow.folder / ".snakemake")
    content = yaml.safe_load((workflow.folder / "params/default.yaml").read_text())
    arms = str(workflow.folder / "params/algorithms.yaml")
    grid = load_grid({**content, "arms_file": arms})
    for cell in grid.cells():
        config = grid.run_config(cell)
        code = run_code(config)
        origin = {
            "config_sha256": fingerprint(config),
            "code_sha": code.sha,
            "results_versions": code.versions,
            "split_sha256": sha256_file(workflow.folder / grid.split_path(cell)),
        }
        path = cell.folder(workflow.folder / "results") / RECORD
        path.write_text(json.dumps({"provenance": origin}, indent=2))
    return path


@pytest.mark.parametrize("key", ["config_sha256", "split_sha256"])
def test_without_records_runs_of_other_settings_or_splits_are_made_again(workflow, key):
    last = as_in_a_clone(workflow)
    record = json.loads(last.read_text())
    record["provenance"][key] = "0" * 64
    last.write_text(json.dumps(record, indent=2))
    assert workflow.planned() == {**ALWAYS, "train": 1}


@pytest.mark.slow
def test_without_records_an_edit_is_followed(workflow):
    as_in_a_clone(workflow)
    assert workflow.planned() == ALWAYS, "whether the tables are of this grid is not known"
    workflow.write_grid(run={"federated_learning": {"rounds": 3}})
    assert workflow.planned() == {**ALWAYS, "train": 8}
    workflow.snakemake("--cores", "2", "--quiet", "all")
    assert workflow.planned() == {}


@pytest.mark.slow
def test_without_records_other_code_is_followed(workflow):
    as_in_a_clone(workflow)
    workflow.append("medfl/algorithms/fedprox.py", "\n# edited\n")
    assert workflow.planned() == {**ALWAYS, "train": 4}


def test_a_second_start_is_refused_before_anything_is_touched(workflow):
    workflow.write_grid(seeds=[0, 1, 2])
    before = sorted(workflow.folder.joinpath("results").rglob("*"))
    _lock = take_lock(workflow.folder / "results/.medfl.lock")  # of the first start
    done = workflow.snakemake("--cores", "1", check=False)
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("medfl: error: ")]
    assert len(said) == 1
    assert "another grid is at work in results" in said[0]
    assert "unlock" not in done.stdout + done.stderr
    assert sorted(workflow.folder.joinpath("results").rglob("*")) == before
    assert workflow.calls() == []


@pytest.mark.slow
def test_jobs_of_this_machine_are_started_as_soon_as_there_is_room(workflow):
    """Snakemake looks at all jobs that wait once more each second for every job that has begun."""
    workflow.write_grid(seeds=[0, 1, 2])
    done = workflow.snakemake("--cores", "2", "--verbose")
    assert "Ready jobs: " in done.stderr
    assert "Submitting maximum" not in done.stderr
    assert done.stderr.count("Ready jobs: ") <= 2 + 4 + 4 + 2 + 1


@pytest.mark.slow
def test_a_dry_run_asks_nobody(workflow):
    _lock = take_lock(workflow.folder / "results/.medfl.lock")
    workflow.write_grid(seeds=[0, 1, 2])
    assert workflow.planned()["train"] == 4


@pytest.mark.slow
def test_a_lock_that_a_killed_start_left_is_taken_away(workflow):
    locks = workflow.folder / ".snakemake/locks"
    locks.mkdir(exist_ok=True)
    split = "data/splits/phantom/iid/clients4/seed2.csv"
    locks.joinpath("0.output.lock").write_text(f"{split}\n")
    workflow.write_grid(seeds=[0, 1, 2])
    workflow.snakemake("--cores", "2", "--quiet", "all")
    assert sum(call.startswith("run") for call in workflow.calls()) == 4


@pytest.mark.slow
def test_edits_while_a_grid_runs_count_for_the_next_start(workflow):
    """The command edits the grid and its arms in the middle of the first run that it makes."""
    script = workflow.folder / "bin/medfl"
    fake = Path(__file__).with_name("fake_medfl.py")
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, runpy, sys\n"
        "from pathlib import Path\n"
        "if sys.argv[1] == 'run':\n"
        "    grid = Path(os.environ['MEDFL_GRID'])\n"
        "    with open('seen.txt', 'a') as file: file.write(grid.read_text() + '---\\n')\n"
        "    for name in ('default', 'algorithms'):\n"
        "        Path(f'params/{name}.yaml').write_text('half an edit: [')\n"
        f"runpy.run_path({str(fake)!r})\n"
    )
    workflow.write_grid(seeds=[0, 1, 2])
    kept = {
        n: (workflow.folder / f"params/{n}.yaml").read_text() for n in ("default", "algorithms")
    }
    workflow.snakemake("--cores", "1", "--quiet", "all")
    seen = (workflow.folder / "seen.txt").read_text().split("---\n")[:-1]
    assert len(seen) == 4
    assert len(set(seen)) == 1
    assert yaml.safe_load(seen[0])["seeds"] == [0, 1, 2]
    for name, text in kept.items():
        (workflow.folder / f"params/{name}.yaml").write_text(text)
    assert workflow.planned() == {}


def test_a_start_on_a_cluster_asks_for_no_number_of_cores(workflow):
    """It comes as far as giving jobs away, here to a cluster that takes none."""
    (workflow.folder / "bin").mkdir(exist_ok=True)
    for name in ("sbatch", "sinfo", "squeue", "sacct", "scontrol"):
        program = workflow.folder / "bin" / name
        program.write_text("#!/bin/sh\necho closed today >&2\nexit 1\n")
        program.chmod(0o755)
    next(workflow.folder.glob("results/runs/**/metrics.json")).unlink()
    command = ("runs", "--profile", "workflow/profiles/slurm")
    options = ("--slurm-no-account", "--slurm-status-command", "squeue", "--retries", "0")
    options += ("--slurm-init-seconds-before-status-checks", "1")  # else it first waits for 40
    path = f"{workflow.folder / 'bin'}:{workflow.environment['PATH']}"
    workflow.environment["PATH"] = path
    done = workflow.snakemake(*command, *options, check=False)
    assert done.returncode == 1
    assert "closed today" in done.stderr
