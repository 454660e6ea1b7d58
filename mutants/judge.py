"""Is a mutant noticed? It stands in a copy of the project while the tests that reach it run."""

from __future__ import annotations

import filecmp
import hashlib
import importlib.util
import json
import shutil
import subprocess
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mutants import forked
from mutants.edits import Mutant
from mutants.reach import PINNED, Reach

BATCH = 8.0
"""Seconds of tests that one child runs."""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    Attributes:
        outcome: killed, pinned (only by numbers that were written before), timeout, survived, or
            unreached (no test runs it).
        by: the first test that failed.
        seconds: of processor time that the tests took.
        left: test files that reach it and were not run, for want of time.
    """

    outcome: str
    by: str = ""
    seconds: float = 0.0
    left: int = 0


def copy_project(root: Path, tree: Path) -> None:
    """Copy what git knows, or would take, and nothing else; what is equal already stays."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=root, capture_output=True, check=True
    )
    names = {name for name in listed.stdout.decode().split("\0") if (root / name).is_file()}
    for path in [path for path in tree.rglob("*") if path.is_file()]:
        name = path.relative_to(tree).as_posix()
        if "__pycache__" not in name and name not in names:
            path.unlink()
    for name in names:
        source, target = root / name, tree / name
        if not target.exists() or not filecmp.cmp(source, target, shallow=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def judge(mutant: Mutant, tests: list[str], reach: Reach, wide: float) -> Verdict:
    """Run tests until one fails; those beyond ``wide`` seconds of sound time are not run."""
    chosen, spent = [], 0.0
    for name in tests:
        spent += reach.seconds(name)
        if not chosen or spent <= wide:
            chosen.append(name)
    if not chosen:
        return Verdict("unreached")
    seconds, left = 0.0, len(tests) - len(chosen)
    with Planted(reach.tree, mutant):
        for batch in batches(chosen, reach):
            sound = sum(reach.seconds(name) for name in batch)
            ending = forked.run(
                reach.tree, ["-x", *reach.deselected(batch), *batch], forked.GRACE + 5 * sound
            )
            seconds += ending.seconds
            if ending.code is None:
                return Verdict("timeout", batch[0], seconds, left)
            if ending.code:
                outcome = "pinned" if batch[0] in PINNED else "killed"
                by = ending.failed[0] if ending.failed else f"exit code {ending.code} of {batch[0]}"
                return Verdict(outcome, by, seconds, left)
    return Verdict("survived", "", seconds, left)


def batches(tests: list[str], reach: Reach) -> list[list[str]]:
    """Tests in their order, in runs of a few seconds; what is pinned is not among others."""
    found: list[list[str]] = []
    for _, group in groupby(tests, key=lambda name: name in PINNED):
        spent = BATCH
        for name in group:
            if spent >= BATCH:
                found.append([])
                spent = 0.0
            found[-1].append(name)
            spent += reach.seconds(name)
    return found


class Planted:
    """A mutant in its file, and the file as it was afterwards.

    The stamp of the copy takes the mutant for a source that the golden test has passed on. So no
    test fails because a source is another; one fails only because of what the mutant does.
    """

    def __init__(self, tree: Path, mutant: Mutant) -> None:
        self.path, self.mutant = tree / mutant.file, mutant
        self.stamp = tree / "medfl" / "stamp.json"
        self.sound = self.path.read_bytes()
        self.stamped = self.stamp.read_bytes() if self.stamp.exists() else None

    def __enter__(self) -> None:
        mutated = self.mutant.apply(self.sound)
        # A compiled file is taken for that of its source by time and size, which may be the same.
        Path(importlib.util.cache_from_source(str(self.path))).unlink(missing_ok=True)
        self.path.write_bytes(mutated)
        if self.stamped is not None:
            stamp = json.loads(self.stamped)
            module = self.mutant.file.removesuffix(".py").removesuffix("/__init__")
            if (name := module.replace("/", ".")) in stamp:
                stamp[name] = hashlib.sha256(mutated).hexdigest()
                self.stamp.write_text(json.dumps(stamp))

    def __exit__(self, *_: object) -> None:
        self.path.write_bytes(self.sound)
        if self.stamped is not None:
            self.stamp.write_bytes(self.stamped)
