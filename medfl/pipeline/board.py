"""How far each run of a grid is, from the folder of its results alone."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medfl.files import is_locked, is_whole, read_json
from medfl.files.regular import regular
from medfl.pipeline.at_work import LOCK
from medfl.pipeline.failed import STOPPED, Failed
from medfl.pipeline.planned import Planned
from medfl.results import paths
from medfl.results.schema import DIVERGED

DONE, RUNNING, FAILED, WAITING = "done", "running", "failed", "waiting"
BEGINS = 30.0  # so many seconds a job may take until it locks its folder
VAL = "val_"
EDITED = f"{paths.RECORD} is damaged or was edited: `medfl verify` says how to mend it"


@dataclass(frozen=True)
class RunState:
    """How far a run is.

    Attributes:
        planned: which run.
        state: ``done``, ``running``, ``failed`` or ``waiting``.
        round: the last round that is known to be trained.
        seconds: how long it has trained until then.
        value: the primary metric on validation samples, as it was evaluated last.
        said: what is to be said of it, such as why it failed.
    """

    planned: Planned
    state: str
    round: int = 0
    seconds: float = 0.0
    value: float | None = None
    said: str = ""

    @property
    def rounds(self) -> int:
        """How many rounds it has in all."""
        return self.planned.config.federated_learning.rounds

    @property
    def whole(self) -> float | None:
        """How many seconds it takes in all, where it is known by itself."""
        if self.state == DONE:
            return self.seconds
        return self.seconds / self.round * self.rounds if self.round else None


@dataclass
class Board:
    """Looks at the runs of a grid, as often as one likes.

    Args:
        runs: those that it asks for.
        results: the folder of its results.
    """

    runs: Sequence[Planned]
    results: Path
    _done: dict[Path, tuple[int, RunState]] = field(default_factory=dict)

    def look(self) -> list[RunState]:
        """How far each run is now."""
        lock = self.results / LOCK
        since = lock.stat().st_mtime if lock.exists() and is_locked(lock) else None
        return [self._state(run, since) for run in self.runs]

    def _state(self, run: Planned, since: float | None) -> RunState:
        """The state of a run.

        Args:
            run: the run.
            since: when the start of the grid that is at work began; None where none is.
        """
        if not run.folder.is_dir() and not run.log.exists():
            return RunState(run, WAITING)
        done = self._finished(run)
        if done is not None:
            return done
        number, seconds, value = _rounds(run)
        if run.folder.is_dir() and is_locked(run.folder):
            return RunState(run, RUNNING, number, seconds, value)
        if not (run.folder / paths.CHECKPOINT).is_file():
            number, seconds, value = 0, 0.0, None  # it begins anew
        if not run.log.exists():
            return RunState(run, WAITING, number, seconds, value)
        written = run.log.stat().st_mtime
        said = (Failed(run.log, "train").last_lines() or [""])[-1]
        if since is not None and written < since:  # of an earlier start: its turn is still to come
            return RunState(run, WAITING, number, seconds, value)
        if said.startswith(STOPPED):
            said = said.removeprefix(STOPPED).strip()
            return RunState(run, WAITING, number, seconds, value, said)
        if since is not None and "error" not in said and time.time() - written < BEGINS:
            return RunState(run, RUNNING)
        said = said if "error" in said else f"it ended after: {said}"
        return RunState(run, FAILED, number, seconds, value, said)

    def _finished(self, run: Planned) -> RunState | None:
        path = run.folder / paths.RECORD
        try:
            written = path.stat().st_mtime_ns
        except OSError:
            return None
        known = self._done.get(path)
        if known is None or known[0] != written:
            state = _done(run, read_json(path))
            if state is None:
                return None
            known = self._done[path] = (written, state)
        return known[1]


def _done(run: Planned, record: dict[str, Any]) -> RunState | None:
    """The state of a finished run; None where it is made anew: of other settings, or damaged.

    One that was edited is not made anew, and nobody takes a number from it.
    """
    if not is_whole(record):
        return RunState(run, FAILED, said=EDITED)
    try:
        made = (record.get("provenance") or {}).get("config_sha256")
        if not record or (run.sha256 and made != run.sha256):
            return None
        last = (record.get("last") or {}).get("val") or {}
        seconds = float((record.get("timing") or {}).get("seconds") or 0)
        said = f"diverged: {record.get('reason')}" if record.get("status") == DIVERGED else ""
        found = last.get(record.get("primary") or "")
        value = None if found is None else float(found)
        return RunState(run, DONE, int(record.get("rounds") or 0), seconds, value, said)
    except (AttributeError, TypeError, ValueError, OverflowError):  # who uses it says what it is
        return None


def _rounds(run: Planned) -> tuple[int, float, float | None]:
    """Of the table that a run writes as it goes: last round, its seconds, and the last metric."""
    wanted = run.config.primary
    names = ("balanced_accuracy", "auc_macro") if wanted == "auto" else (wanted,)
    try:
        with open(run.folder / paths.ROUNDS, encoding="utf-8", newline="", opener=regular) as file:
            rows = list(csv.DictReader(file))
        values = [[row[VAL + name] for row in rows if row.get(VAL + name)] for name in names]
        value = next((float(column[-1]) for column in values if column), None)
        row = rows[-1] if rows else {}
        return int(row.get("round") or 0), float(row.get("seconds") or 0), value
    except (OSError, ValueError, TypeError, csv.Error):  # not there yet, or damaged
        return 0, 0.0, None
