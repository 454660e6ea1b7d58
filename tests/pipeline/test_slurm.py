"""The SLURM profile on a real, one-node SLURM that the test starts and ends."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from workflows import Workflow, copy_workflow

pytestmark = pytest.mark.cluster
SCRIPTS = Path(__file__).with_name("slurm")
# A cluster without accounting; everything else is the profile as it stands.
NO_ACCOUNTING = ("--slurm-status-command", "squeue", "--slurm-no-account")
QUICK = ("--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "2")


@pytest.fixture
def cluster(tmp_path):
    programs = ("slurmctld", "slurmd", "munged", "sbatch")
    if os.getuid() or not all(shutil.which(name, path=WIDE) for name in programs):
        pytest.skip("needs root and Debian's slurm-wlm, munge and slurm-wlm-basic-plugins")
    folder = tmp_path / "slurm"
    environment = {**os.environ, "PATH": WIDE}
    subprocess.run([SCRIPTS / "start", folder], check=True, env=environment)
    yield folder
    subprocess.run([SCRIPTS / "stop", folder], check=True, env=environment)


WIDE = os.environ["PATH"] + ":/usr/sbin:/sbin"


def test_a_grid_runs_on_slurm_with_the_profile(cluster, tmp_path):
    folder = tmp_path / "project"
    copy_workflow(folder)
    workflow = Workflow(folder)
    workflow.write_grid(seeds=[0])
    (folder / "bin/medfl").write_text(
        (folder / "bin/medfl").read_text()
        + '\nwith open("where.txt", "a") as file:\n'
        + '    job = os.environ.get("SLURM_JOB_ID", "none")\n'
        + '    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "none")\n'
        + '    file.write(f"{words[0]} {job} {gpu}\\n")\n'
    )
    options = ("--profile", "workflow/profiles/slurm", *NO_ACCOUNTING, *QUICK)
    done = workflow.snakemake(*options)
    assert (folder / "results/report.html").exists(), done.stderr

    where = [line.split() for line in (folder / "where.txt").read_text().splitlines()]
    jobs = {job for command, job, _ in where if command in ("prepare", "split", "run")}
    assert len(jobs) == 1 + 2 + 4
    assert "none" not in jobs
    assert all(job == "none" for command, job, _ in where if command in ("aggregate", "report"))
    # The profile asks for one GPU a run, and a run sees the one that it was given.
    assert {gpu for command, _, gpu in where if command == "run"} <= {"0", "1"}
    assert all(re.fullmatch("none|", gpu) for command, _, gpu in where if command == "split")
    assert workflow.planned(*options) == {}
