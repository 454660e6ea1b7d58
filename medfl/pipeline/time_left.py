"""How long a grid still takes: by its runs so far, or by short rounds."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from contextlib import suppress
from statistics import median
from typing import Any

from medfl.datasets.place import entry_of, store_path
from medfl.errors import MedflError
from medfl.federated.log import in_time
from medfl.grid import GridConfig
from medfl.pipeline.board import DONE, FAILED, RUNNING, WAITING, RunState
from medfl.pipeline.planned import Planned, RunKind
from medfl.store import DATASET, Store


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
    known: dict[Any, list[float]] = {}
    told = [(kind, seconds) for kind, seconds in (probed or {}).items()]
    told += [(one.planned.kind, one.whole) for one in states if one.whole is not None]
    for kind, seconds in told:
        for name in (kind, kind[0], None):
            known.setdefault(name, []).append(seconds)
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
    begun = {one.planned.kind for one in states if one.whole is not None}
    unknown = {one.planned.kind for one in states if one.state != DONE} - begun - set(probed or ())
    which = "of some arms, taken for all" if unknown else "of each arm"
    source = f"by short rounds {which}" if probed else "as runs before them took"
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
