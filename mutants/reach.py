"""Which test files run which lines: each is run once, alone, under coverage, on sound sources.

A file of tests, not a single test, is the unit: its tests share fixtures, and a line that ran in a
fixture is judged by all of them. Lines that run only in processes which a test starts are not seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mutants import forked

NEVER = (
    "tests/test_stamp.py",
    "tests/test_golden_history.py",
    "tests/test_results_stay_valid.py",
    "tests/test_sources.py",
    "tests/federated/test_code.py",
    "tests/test_rooms.py",
    "tests/test_docs.py",
    "tests/test_readme.py",
    "tests/test_release.py",
    "tests/test_requirements.py",
    "tests/test_notebook.py",
    "tests/test_gpu.py",
    "tests/test_mutants.py",
    "tests/pipeline/",
)
"""Tests that notice any edit by a hash of the sources, read texts, or work in other processes."""
PINNED = ("tests/test_golden.py", "tests/test_json_schema.py")
"""Tests that compare with what was written before, right or wrong: asked last, and named."""
ALSO = {"algorithms": ("tests/identities/",)}
"""Folders of tests that belong to a room, besides the one of its name."""
LIMIT = 900.0
"""Seconds of processor time for one file of tests on sound sources."""


def digest(path: Path) -> str:
    """SHA-256 of a file, its first 16 letters."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def near(room: str) -> tuple[str, ...]:
    """The folders of tests of a room."""
    return (f"tests/{room}/", *ALSO.get(room, ()))


class Reach:
    """The map from lines to test files, kept in a file, made anew where a test file was edited."""

    def __init__(self, tree: Path, path: Path) -> None:
        self.tree, self.path = tree, path
        self.known: dict[str, dict[str, Any]] = {}
        if path.exists():
            self.known = json.loads(path.read_text())

    def make(self, under: Iterable[str] = ("tests/",)) -> None:
        """Run the test files of some folders that are not known yet, or are others by now."""
        folders = tuple(under)
        tests = sorted(
            name
            for path in self.tree.glob("tests/**/test_*.py")
            if (name := path.relative_to(self.tree).as_posix()).startswith(folders)
            and not name.startswith(NEVER)
        )
        self.known = {name: one for name, one in self.known.items() if (self.tree / name).exists()}
        wanted = [name for name in tests if self._is_new(name)]
        for number, name in enumerate(wanted, 1):
            self.known[name] = self._measure(name)
            self.path.write_text(json.dumps(self.known))
            one = self.known[name]
            failing = f", {len(one['failing'])} fail here and are left out" * bool(one["failing"])
            print(f"{number}/{len(wanted)} {name}: {one['seconds']:.1f} s{failing}", flush=True)

    def _is_new(self, name: str) -> bool:
        known = self.known.get(name)
        return known is None or known["digest"] != digest(self.tree / name)

    def _measure(self, name: str) -> dict[str, Any]:
        """What one file of tests reaches, how long it takes, and what fails on sound sources."""
        ending = forked.run(self.tree, [name], LIMIT, self.tree / "medfl")
        skip = [part for test in ending.failed for part in ("--deselect", test)]
        # Without what failed, the others must pass: they may lean on it.
        again = forked.run(self.tree, [*skip, name], LIMIT) if ending.failed else ending
        return {
            "digest": digest(self.tree / name),
            "seconds": again.seconds,
            "failing": ending.failed,
            "sound": again.code == 0,
            "lines": ending.lines,
            "sources": {file: digest(self.tree / file) for file in ending.lines},
        }

    def of(self, file: str, line: int, room: str) -> list[str]:
        """The test files that reach a line: the room's own first, what is pinned last.

        Fast ones stand before slow ones. A source that was edited since its lines were noted counts
        as reached in all of them.
        """
        now = digest(self.tree / file)
        found = [
            name
            for name, one in self.known.items()
            if one["sound"]
            and (lines := one["lines"].get(file))
            and (line in lines or one["sources"][file] != now)
        ]
        return sorted(found, key=lambda name: (self._rank(name, room), self.seconds(name)))

    def seconds(self, name: str) -> float:
        """The processor time that a file of tests takes on sound sources."""
        return float(self.known[name]["seconds"])

    def deselected(self, names: Iterable[str]) -> list[str]:
        """Pytest's arguments that leave out what fails on sound sources, too."""
        tests = [test for name in names for test in self.known[name]["failing"]]
        return [part for test in tests for part in ("--deselect", test)]

    @staticmethod
    def _rank(name: str, room: str) -> int:
        if name in PINNED:
            return 2
        return 0 if name.startswith(near(room)) else 1
