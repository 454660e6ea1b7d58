"""The pins: complete, free of this or that machine's builds, and known to the conda environment."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from medfl.grid import read_grid

ROOT = Path(__file__).resolve().parents[2]


def pins() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    found = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_the_lock_satisfies_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += extra
    locked = pins()
    assert len(wanted) > 15
    for requirement in map(Requirement, wanted):
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert name in locked, f"{name} is not pinned: run `make lock`"
        assert Version(locked[name]) in requirement.specifier, f"{requirement}: {locked[name]}"


def test_the_lock_holds_plain_versions_only():
    text = (ROOT / "requirements.lock").read_text()
    assert pins()["torch"] == "2.13.0"
    assert not re.search(r"^(nvidia|cuda|triton)", text, re.MULTILINE | re.IGNORECASE)
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)


def test_a_new_lock_is_a_new_conda_environment():
    """Snakemake names an environment by its files' content, the post-deploy script's included."""
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()
    script = (ROOT / "workflow/envs/medfl.post-deploy.sh").read_text()
    assert f"# lock: {digest[:16]}\n" in script, "run `make lock`"


def test_dvc_versions_the_folders_that_the_grid_names(monkeypatch):
    monkeypatch.chdir(ROOT)
    grid = read_grid("params/default.yaml")
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert list(stages["split"]["do"]["outs"][0]) == [f"{grid.splits_dir}/${{item}}"]
    outs = [path for out in stages["benchmark"]["outs"] for path in out]
    assert f"{grid.output_dir}/runs" in outs
    assert all(path.startswith(f"{grid.output_dir}/") for path in outs)
