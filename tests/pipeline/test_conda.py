"""`--use-conda` with a STAND-IN for conda (see conda/conda.py); conda itself is not tested here."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
from workflows import ROOT, Workflow, copy_workflow

pytestmark = pytest.mark.cluster
HERE = Path(__file__).with_name("conda")


def load_channel():
    spec = importlib.util.spec_from_file_location("stand_in_channel", HERE / "channel.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_run_in_the_environment_of_the_workflow(tmp_path):
    rattler = pytest.importorskip("rattler", reason="pip install py-rattler")
    base = tmp_path / "base"
    (base / "bin").mkdir(parents=True)
    conda = base / "bin/conda"
    rattler_path = Path(rattler.__file__).parents[1]
    conda.write_text(
        f'#!/bin/sh\nPYTHONPATH={rattler_path} exec {sys.executable} {base}/bin/conda.py "$@"\n'
    )
    conda.chmod(0o755)
    (base / "bin/conda.py").write_text((HERE / "conda.py").read_text())
    (base / "bin/activate").write_text('export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n')
    load_channel().write_channel(tmp_path / "channel")

    project = tmp_path / "project"
    copy_workflow(project)
    for name in ("README.md", "LICENSE"):
        (project / name).write_bytes((ROOT / name).read_bytes())
    workflow = Workflow(project, fake=False)
    # Nothing but the environment that Snakemake makes can supply `medfl`.
    os_path = [part for part in os.environ["PATH"].split(":") if ".venv" not in part]
    workflow.environment["PATH"] = ":".join([str(base / "bin"), *os_path])
    # pip may use what it has downloaded before; conda packages get a cache of their own.
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "pip")
    workflow.environment.setdefault("PIP_CACHE_DIR", str(cache))
    workflow.environment["STAND_IN_CHANNEL"] = str(tmp_path / "channel")
    workflow.write_grid(partitions=["iid"], arms=["fedavg"], seeds=[0])
    workflow.snakemake("--cores", "1", "--use-conda")

    record = json.loads(
        (project / "results/runs/phantom/iid/fedavg/seed0/metrics.json").read_text()
    )
    assert record["status"] == "completed"
    assert record["provenance"]["torch"].startswith("2.13.0")
    assert "cuda_available" in record["provenance"]
    environments = list((project / ".snakemake/conda").glob("*/bin/medfl"))
    assert len(environments) == 1
    assert workflow.planned("--use-conda") == {}
