"""The workflow's own rules: clean, clear about mistakes, and nothing lost when a run fails."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_lint_is_clean(workflow):
    done = workflow.snakemake("--lint")
    assert "good condition" in done.stdout + done.stderr


def test_an_update_of_medfl_makes_no_run_again():
    """Snakemake would, where a run's command or one of its parameters is another than before."""
    params, command = (ROOT / "rules/train.smk").read_text().split("params:")[1].split("shell:")
    assert re.findall(r"^ +(\w+)=", params, re.MULTILINE) == ["folder", "code", "settings"]
    assert ast.literal_eval(f"({command})") == (
        'medfl run --grid "$MEDFL_GRID" --dataset {wildcards.dataset}'
        " --partition {wildcards.partition} --arm {wildcards.arm} --seed {wildcards.seed}"
        " --split {input.split:q} --output-dir {params.folder:q} --cores {threads} > {log:q} 2>&1"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_client": 3}, "unknown key `num_client`; did you mean `num_clients`?"),
        pytest.param(
            {"arms": ["fedavg", "fedprx"]},
            "unknown arm `fedprx`; did you mean `fedprox`?",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"partitions": ["dirichlet-0"]},
            "partition `dirichlet-0`: alpha must be more than 0",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_typo_is_one_clear_message(workflow, changes, message):
    workflow.write_grid(**changes)
    done = workflow.snakemake("--dry-run", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert text.count(message) == 1
    assert "params/default.yaml" in text
    assert "Traceback" not in text
    assert not re.search(r"\.py\b", text.split("Config MD5")[-1]), text


@pytest.mark.parametrize("partial", [False, True])
def test_partial_data_are_prepared_where_the_grid_allows_it(workflow, partial):
    workflow.write_grid(datasets=["covidct"], **({"allow_partial": True} if partial else {}))
    workflow.snakemake("--cores", "1", "--quiet", "all", "--", "prepared")
    [call] = workflow.calls()
    assert call.startswith("prepare covidct ")
    assert ("--allow-partial" in call) is partial


@pytest.mark.slow
def test_a_key_that_stands_twice_is_refused(workflow):
    workflow.append("params/default.yaml", "seeds: [5]\n")
    done = workflow.snakemake("--dry-run", check=False)
    assert done.returncode != 0
    assert "a key stands there a second time" in done.stdout + done.stderr


@pytest.mark.slow
def test_two_grids_are_refused(workflow):
    workflow.write_grid("other.yaml", arms=["scaffold"])
    done = workflow.snakemake(
        "--dry-run", "--configfile", "params/default.yaml", "other.yaml", check=False
    )
    assert done.returncode != 0
    assert "name one grid" in done.stdout + done.stderr


@pytest.mark.slow
def test_a_failed_run_leaves_the_rest_and_only_it_is_missing(workflow):
    workflow.write_grid(arms=["fedavg", "fedprox", "scaffold"], seeds=[0])
    workflow.environment["FAKE_MEDFL_FAIL"] = "iid/scaffold"
    done = workflow.snakemake("--cores", "1", check=False)
    assert done.returncode != 0
    said = done.stderr
    assert "medfl: the run phantom/iid/scaffold/seed0 failed; the end of results/logs" in said
    assert said.count("this run was told to fail") == 1
    assert "`snakemake partial --cores 1` makes tables of the runs that are there." in said
    assert "CalledProcessError" not in said
    folder = workflow.folder / "results/runs/phantom"
    assert (folder / "dirichlet-0.5/scaffold/seed0/metrics.json").exists()
    assert not (folder / "iid/scaffold/seed0/metrics.json").exists()
    workflow.calls()

    workflow.snakemake("--cores", "1", "partial")
    [call] = workflow.calls()
    assert call.startswith("report --grid ")
    assert "--partial" in call.split()

    del workflow.environment["FAKE_MEDFL_FAIL"]
    assert workflow.planned()["train"] == 1


@pytest.mark.slow
def test_overrides_on_the_command_line_reach_the_commands(workflow):
    workflow.snakemake("--cores", "1", "--config", "seeds=[0, 7]", "output_dir=other")
    calls = [call.split() for call in workflow.calls() if call.startswith("run ")]
    assert len(calls) == 8
    grid = yaml.safe_load((workflow.folder / calls[0][2]).read_text())
    assert (grid["seeds"], grid["output_dir"]) == ([0, 7], "other")


def test_a_job_has_one_thread_and_a_log(finished):
    run = "phantom/iid/fedavg/seed0"
    assert json.loads((finished / "results/runs" / run / "metrics.json").read_text()) == {
        "threads": "1"
    }
    assert (finished / f"results/logs/train/{run}.log").exists()
    assert (finished / "results/benchmarks/prepare/phantom.tsv").exists()


@pytest.mark.slow
def test_jobs_keep_to_the_cores_of_the_start(workflow):
    """Each run has two workers, of which three cores hold one pair; a run has its share."""
    for cores, each in ((3, "2"), (1, "1")):
        folder = f"output_dir=cores{cores}"
        settings = json.dumps({"training": {"workers": 2}})
        workflow.snakemake("--cores", str(cores), "--config", f"run={settings}", folder)
        runs = [call.split() for call in workflow.calls() if f"cores{cores}/runs" in call]
        runs = [call for call in runs if call[0] == "run"]
        assert len(runs) == 8
        assert {call[call.index("--cores") + 1] for call in runs} == {each}


def test_starting_the_workflow_imports_no_torch():
    code = (
        "import sys; import medfl.grid, medfl.gpu; from medfl.config import FederatedConfig as C;"
        "from medfl.federated.code import run_code; from medfl.federated.fingerprint import *;"
        "run = C(algorithm='scaffold', model='resnet18'); run_code(run); fingerprint(run);"
        "from medfl.partition.code import split_code; split_code('iid');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.slow
def test_the_number_of_gpus_is_a_default_that_the_command_line_overrides(workflow):
    """`workflow.global_resources` is not documented: this notices when it changes."""

    def most_at_once(*options: str) -> int:
        code = (
            "import sys; from snakemake.cli import main; import snakemake.workflow as m;"
            "old = m.Workflow._build_dag;"
            "m.Workflow._build_dag = lambda s, *a, **k: (old(s, *a, **k),"
            " print('GPUS', s.global_resources['gpu'], flush=True))[0];"
            "sys.argv[0] = 'snakemake'; main()"
        )
        done = workflow.run(sys.executable, "-c", code, "--dry-run", *options)
        return int(re.findall(r"GPUS \D*(\d+)", done.stdout + done.stderr)[-1])

    workflow.environment |= {"CUDA_VISIBLE_DEVICES": "0,1", "MEDFL_JOBS_PER_GPU": "3"}
    assert most_at_once() == 6
    assert most_at_once("--resources", "gpu=2") == 2


@pytest.mark.slow
def test_jobs_never_exceed_their_gpu_slots(workflow):
    """Real processes: with 2 GPUs and 1 run on each, no two runs hold the same one."""
    script = workflow.folder / "bin/medfl"
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, runpy, sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "if sys.argv[1] == 'run':\n"
        "    from medfl.gpu import take_slot\n"
        "    gpu = take_slot()\n"
        "    open('gpus.txt', 'a').write(f'+{gpu}\\n'); time.sleep(0.3)\n"
        "    open('gpus.txt', 'a').write(f'-{gpu}\\n')\n"
        f"runpy.run_path({str(Path(__file__).with_name('fake_medfl.py'))!r})\n"
    )
    locks = str(workflow.folder / "locks")
    workflow.environment |= {"CUDA_VISIBLE_DEVICES": "0,1", "MEDFL_GPU_LOCKS": locks}
    workflow.write_grid(output_dir="other", seeds=[0, 1])
    # More jobs at once than slots: the locks hold even where the count does not.
    workflow.snakemake("--cores", "4", "--resources", "gpu=4")
    held: set[str] = set()
    peak = 0
    for line in (workflow.folder / "gpus.txt").read_text().split():
        if line[0] == "+":
            assert line[1:] not in held
            held.add(line[1:])
        else:
            held.remove(line[1:])
        peak = max(peak, len(held))
    assert peak == 2


@pytest.mark.slow
def test_the_report_of_the_workflow_is_made(workflow):
    workflow.snakemake("--report", "workflow.html")
    assert (workflow.folder / "workflow.html").stat().st_size > 100_000
