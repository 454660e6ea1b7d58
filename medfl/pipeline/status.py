"""How far a grid is, from the folder of its results alone: what `medfl status` and starts show."""

from __future__ import annotations

import csv
import heapq
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from medfl.config import FederatedConfig
from medfl.datasets.prepare import entry_of, store_path
from medfl.errors import MedflError
from medfl.federated.fingerprint import fingerprint
from medfl.federated.log import in_time
from medfl.files import is_locked, read_json
from medfl.grid import Cell, GridConfig
from medfl.grid.shared import runs_of
from medfl.pipeline.at_work import LOCK
from medfl.pipeline.failed import STOPPED, Failed
from medfl.results import paths
from medfl.results.schema import DIVERGED
from medfl.store import DATASET, Store
from medfl.tuning.choose import point_folder
from medfl.tuning.search import point_config, points_of, tuned_on

DONE, RUNNING, FAILED, WAITING = "done", "running", "failed", "waiting"
BEGINS = 30.0  # so many seconds a job may take until it locks its folder
VAL = "val_"
RunKind = tuple[str, str]
TOLD = "MEDFL_COST_TOLD"
"""Set for a dry run of which `medfl benchmark` says the cost itself."""
OFTEN, SELDOM = 15.0, 600.0  # seconds between two lines on the screen of a start


@dataclass(frozen=True)
class Planned:
    """A run that a grid asks for, or a point of a search before it.

    Attributes:
        name: what it is called, such as ``phantom/iid/fedavg/seed0``.
        cell: where it stands in the grid; runs of one dataset and arm take about as long.
        folder: where it lies.
        log: what its job says.
        config: its settings; of a tuned run all but the values that are still to be chosen.
        sha256: the hash of its settings; empty where they are still to be chosen.
    """

    name: str
    cell: Cell
    folder: Path
    log: Path
    config: FederatedConfig
    sha256: str

    @property
    def kind(self) -> RunKind:
        """Whose runs take about as long."""
        return self.cell.dataset, self.cell.arm


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


def planned_runs(grid: GridConfig, results: str | Path) -> list[Planned]:
    """The runs of a grid, seed by seed as they are trained, and before them those of searches."""
    trained = dict.fromkeys(runs_of(grid).values())
    cells = sorted(trained, key=lambda cell: grid.seeds.index(cell.seed))
    logs = Path(results, paths.LOGS)
    found = []
    for cell in dict.fromkeys(tuned_on(grid, cell) for cell in cells) if grid.tune else ():
        for number, values in enumerate(points_of(grid, cell), 1):
            name = f"{cell}/{paths.POINT.format(point=number)}"
            config, log = point_config(grid, cell, values), logs / "tune" / f"{name}.log"
            place = point_folder(results, cell, number)
            found.append(_planned(cell, name, place, log, config, fingerprint(config)))
    for cell in cells:
        config, log = grid.run_config(cell), logs / "train" / f"{cell}.log"
        sha256 = "" if grid.tune else fingerprint(config)
        found.append(_planned(cell, str(cell), cell.folder(results), log, config, sha256))
    return found


def _planned(
    cell: Cell, name: str, folder: Path, log: Path, config: FederatedConfig, sha256: str
) -> Planned:
    return Planned(name, cell, folder, log, config, sha256)


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
        row, value = _rounds(run)
        far = int(row.get("round") or 0), float(row.get("seconds") or 0)
        if run.folder.is_dir() and is_locked(run.folder):
            return RunState(run, RUNNING, *far, value)
        if not run.log.exists():
            return RunState(run, WAITING)
        written = run.log.stat().st_mtime
        said = (Failed(run.log, "train").last_lines() or [""])[-1]
        if since is not None and written < since:  # of an earlier start: its turn is still to come
            return RunState(run, WAITING)
        if said.startswith(STOPPED):
            return RunState(run, WAITING, said=said.removeprefix(STOPPED).strip())
        if since is not None and "error" not in said and time.time() - written < BEGINS:
            return RunState(run, RUNNING)
        return RunState(run, FAILED, said=said if "error" in said else f"it ended after: {said}")

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
    """The state of a finished run; None where it is of other settings, so that it is made anew."""
    made = (record.get("provenance") or {}).get("config_sha256")
    if not record or (run.sha256 and made != run.sha256):
        return None
    last = (record.get("last") or {}).get("val") or {}
    seconds = float((record.get("timing") or {}).get("seconds") or 0)
    said = f"diverged: {record.get('reason')}" if record.get("status") == DIVERGED else ""
    value = last.get(record.get("primary") or "")
    return RunState(run, DONE, int(record.get("rounds") or 0), seconds, value, said)


def _rounds(run: Planned) -> tuple[dict[str, str], float | None]:
    """The last row of the table that a run writes as it goes, and its metric as it was last."""
    try:
        with open(run.folder / paths.ROUNDS, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return {}, None
    wanted = run.config.primary
    for name in ("balanced_accuracy", "auc_macro") if wanted == "auto" else (wanted,):
        values = [row[VAL + name] for row in rows if row.get(VAL + name)]
        if values:
            return rows[-1], float(values[-1])
    return (rows[-1] if rows else {}), None


def left_of(
    states: Sequence[RunState], probed: Mapping[RunKind, float] | None = None
) -> dict[str, float] | None:
    """Each run that is not done → the seconds that it still takes; None where nothing is known.

    By itself, where it is known how long its rounds take; else as the median of its kind, of its
    dataset, or of all.

    Args:
        states: all runs.
        probed: how long runs take of which none has begun.
    """
    known: dict[Any, list[float]] = {kind: [seconds] for kind, seconds in (probed or {}).items()}
    for one in states:
        if one.whole is not None:
            for kind in (one.planned.kind, one.planned.kind[0], None):
                known.setdefault(kind, []).append(one.whole)
    if not known:
        return None
    left = {}
    for one in states:
        if one.state != DONE:
            kinds = (one.planned.kind, one.planned.kind[0], None)
            usual = median(next(known[kind] for kind in kinds if kind in known))
            left[one.planned.name] = max(0.0, (one.whole or usual) - one.seconds)
    return left


def seconds_left(states: Sequence[RunState]) -> tuple[float, float] | None:
    """How long a grid still takes: on one core, and with as many runs side by side as now.

    None where nothing is known.
    """
    left = left_of(states)
    if left is None:
        return None
    busy = [left[one.planned.name] for one in states if one.state == RUNNING]
    ends = sorted(busy) or [0.0]
    for one in states:
        if one.state in (WAITING, FAILED):
            heapq.heappush(ends, heapq.heappop(ends) + left[one.planned.name])
    return sum(left.values()), max(ends)


def summary(states: Sequence[RunState]) -> str:
    """One line: how many runs are done, and how long the rest takes."""
    counts = Counter(one.state for one in states)
    parts = [f"{counts[DONE]} of {len(states)} runs done"]
    parts += [f"{counts[state]} {state}" for state in (RUNNING, FAILED) if counts[state]]
    for one in [one for one in states if one.state == RUNNING][:1]:
        parts.append(f"{one.planned.name} in round {one.round} of {one.rounds}")
    left = seconds_left(states)
    if left is not None and counts[RUNNING]:
        parts.append(f"about {in_time(left[1])} left")
    elif left is not None and counts[DONE] < len(states):
        parts.append(f"about {in_time(left[0])} left on one core")
    return ", ".join(parts)


def cost(
    states: Sequence[RunState], cores: int | None, probed: Mapping[RunKind, float] | None = None
) -> str:
    """One line on what a start will take; empty where nothing is to be trained.

    Args:
        states: the runs as they are before it.
        cores: how many processors it has; None on a cluster.
        probed: how long runs take of which none has begun, by short rounds.
    """
    number = sum(one.state != DONE for one in states)
    if not number:
        return ""
    words = f"{number} run{'s are' if number > 1 else ' is'} to be trained"
    left = left_of(states, probed)
    if left is None:
        return f"{words}; how long they take is not known before the first rounds are trained"
    source = "by short rounds of each arm" if probed else "as runs before them took"
    whole = sum(left.values())
    words += f", about {whole / 3600:.2g} core-hours {source}"
    if cores and cores > 1:
        words += f" ({in_time(whole / min(cores, number))} on {cores} cores)"
    return words


def probe_kinds(grid: GridConfig, states: Sequence[RunState]) -> dict[RunKind, float]:
    """How long a run of each dataset and arm takes of which none has begun, where that can be had.

    It cannot before the dataset is prepared. Nothing is written.
    """
    begun = {one.planned.kind for one in states if one.whole is not None}
    firsts = {one.planned.kind: one.planned for one in reversed(states)}
    found = {}
    for kind, run in reversed(firsts.items()):
        place = store_path(kind[0], grid.work_root)
        if kind not in begun and (place / DATASET).is_file():
            with suppress(MedflError):
                found[kind] = _probe(grid, run, Store.open(place))
    return found


def _probe(grid: GridConfig, run: Planned, store: Store) -> float:
    from medfl.federated.probe import probe  # it imports PyTorch, which a start has no need of
    from medfl.federated.run_split import split_of_run
    from medfl.partition import make_split

    config, cell = run.config, run.cell
    path = grid.split_path(cell)
    if path.is_file():
        split = split_of_run(config, path, store)
    else:
        clients = grid.clients(cell.dataset, cell.partition)
        folds = config.split.model_dump()
        dataset = entry_of(cell.dataset)
        split = make_split(store, cell.partition, clients, cell.seed, **folds, dataset=dataset)
    return probe(config, store, split)


def tell_now_and_then(board: Board) -> None:
    """Say on standard error how far a grid is, more seldom the longer it takes; it never ends."""
    began, said = time.monotonic(), ""
    while True:
        time.sleep(min(max(OFTEN, (time.monotonic() - began) / 20), SELDOM))
        with suppress(OSError):
            line = summary(board.look())
            if line != said:
                print(f"medfl: {line}", file=sys.stderr, flush=True)
                said = line


def table(states: Sequence[RunState]) -> list[str]:
    """A line for each run that has begun."""
    shown = [one for one in states if one.state != WAITING or one.said]
    width = max((len(one.planned.name) for one in shown), default=0)
    lines = []
    for one in shown:
        value = "" if one.value is None else f"val {one.value:.3f}"
        words = f"{one.round:>4}/{one.rounds:<4} {value:<9} {one.seconds:>8.1f} s  {one.said}"
        lines.append(f"  {one.planned.name:<{width}}  {one.state:<7}  {words}".rstrip())
    return lines
