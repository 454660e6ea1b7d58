"""Copies of the workflow in empty folders, with a fake `medfl` first on PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml
from snakemake_starts import start
from stamp import stamp_copy

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "rules", "workflow", "profiles", "medfl", "params", "pyproject.toml")
PARTS += ("snakemake_logger_plugin_medfl",)
PARTS += ("requirements.lock", "dvc.yaml", ".dvcignore", ".gitignore", ".dvc/config", ".dvc/plots")

GRID = {
    "datasets": ["phantom"],
    "partitions": ["iid", "dirichlet-0.5"],
    "arms": ["fedavg", "fedprox"],
    "seeds": [0, 1],
    "num_clients": 4,
    "run": {"federated_learning": {"rounds": 2}},
}


class Workflow:
    """A folder with the workflow, its package and one grid."""

    def __init__(self, folder: Path, fake: bool = True) -> None:
        self.folder = folder
        self.environment = dict(os.environ)
        for name in list(self.environment):
            if name.startswith(("SNAKEMAKE", "MEDFL", "CUDA_", "DVC")):
                del self.environment[name]
        path = [str(Path(sys.executable).parent), os.environ["PATH"]]
        if fake:
            commands = folder / "bin"
            commands.mkdir()
            shutil.copy(ROOT / "tests" / "pipeline" / "fake_medfl.py", commands / "medfl")
            (commands / "medfl").chmod(0o755)
            path.insert(0, str(commands))
        self.environment["PATH"] = os.pathsep.join(path)
        self.environment["XDG_CACHE_HOME"] = str(folder / "cache")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        return checked(done, check)

    def snakemake(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return checked(start(options, self.folder, self.environment), check)

    def planned(self, *options: str) -> dict[str, int]:
        """Jobs that would run, by rule."""
        done = self.snakemake("--dry-run", *options)
        text = done.stdout + done.stderr
        return jobs("".join(text.rpartition("Job stats:")[1:]))  # a dry run tells them twice

    def dvc(self, *words: str) -> str:
        done = self.run(sys.executable, "-m", "dvc", *words)
        return done.stdout + done.stderr

    def git(self, *words: str) -> None:
        self.run("git", "-c", "user.name=test", "-c", "user.email=test@example.org", *words)

    def calls(self) -> list[str]:
        """What the fake `medfl` was called with since the last time."""
        path = self.folder / "calls.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def write_grid(self, name: str = "params/default.yaml", **changes: object) -> None:
        content = {**GRID, **changes}
        (self.folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        with open(self.folder / name, "a", encoding="utf-8") as file:
            file.write(text)


def checked(
    done: subprocess.CompletedProcess[str], check: bool
) -> subprocess.CompletedProcess[str]:
    if check and done.returncode:
        raise AssertionError(f"{done.args} failed:\n{done.stdout}\n{done.stderr}")
    return done


def jobs(text: str) -> dict[str, int]:
    """Jobs by rule in what Snakemake says, without the targets; {} where nothing is to be done."""
    counts: Counter[str] = Counter()
    for part in text.split("Job stats:")[1:]:
        for name, number in re.findall(r"^(\w+) +(\d+)$", part.split("total")[0], re.MULTILINE):
            counts[name] += int(number)
    assert counts or "Nothing to be done" in text or "skipping" in text, text
    targets = r"all|prepared|splits\w*|runs"
    return {name: n for name, n in counts.items() if not re.fullmatch(targets, name)}


def copy_workflow(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ignore = shutil.ignore_patterns("*.pyc.*")  # what is compiled comes along, unless half written
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore, dirs_exist_ok=True)
        else:
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, folder / name)
    stamp_copy(folder)
