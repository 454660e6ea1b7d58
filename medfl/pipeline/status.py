"""What `medfl status` and starts show of how far a grid is."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from medfl.federated.log import in_time
from medfl.pipeline.board import DONE, FAILED, RUNNING, WAITING, Board, RunState
from medfl.pipeline.time_left import seconds_left

TOLD = "MEDFL_COST_TOLD"
"""Set for a dry run of which `medfl benchmark` says the cost itself."""
OFTEN, SELDOM = 15.0, 600.0  # seconds between two lines on the screen of a start


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
