"""Arms and evidence as rows of the page, which are legible on a screen of any width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator

from medfl.partition import partition_title
from medfl.report.grid_results import GridResults
from medfl.report.names import arm_label
from medfl.report.plots.evidence_marks import (
    STANDINGS,
    WORSE,
    Mark,
    best_first,
    chances_of,
    marks_of,
)
from medfl.report.plots.style import why_empty
from medfl.report.questions import TITLES, asked_of
from medfl.results.column import Column
from medfl.results.columns import OWN

ROOM = 0.04  # of the axis, beside the outermost marks
INK = "#000000"
TICKS = 5  # at most so many and one, so that their numbers fit on a phone


def evidence_rows(results: GridResults, dataset: str) -> dict[str, Any] | None:
    """The panels of a dataset: places along their common axis are in per cent of it.

    Returns:
        What the template ``rows`` draws; None without a finished run.
    """
    arms = best_first(results, dataset)
    if not arms:
        return None
    partitions = results.partitions_of(dataset)
    asked = asked_of(results, dataset)
    marks = {
        (part, arm): marks_of(results, dataset, part, arm) for part in partitions for arm in arms
    }
    chances = {part: chances_of(results, dataset, part) for part in partitions}
    axis = _Axis(
        [end for found in marks.values() for one in found for end in (one.mean, *(one.ends or ()))]
        + [value for found in chances.values() for value in found.values()]
    )
    metric = results.primary(dataset, OWN)
    panels = [
        {
            "id": f"evidence-{results.datasets.index(dataset)}-{number}",
            "title": partition_title(part),
            "chances": [
                {"x": axis.place(value), "own": question == OWN}
                for question, value in chances[part].items()
            ],
            "rows": [
                {
                    "name": arm_label(arm, results.marked(dataset, arm, OWN)),
                    "marks": [
                        _row_mark(one, axis, metric, asked.index(one.question), len(asked))
                        for one in marks[part, arm]
                    ],
                }
                for arm in arms
            ],
            "empty": why_empty(results.any_finished(dataset, part))
            if not any(marks[part, arm] for arm in arms)
            else "",
        }
        for number, part in enumerate(partitions)
    ]
    return {
        "panels": panels,
        "ticks": [{"x": axis.place(at), "text": f"{at:g}"} for at in axis.ticks],
        "axis": metric.title,
        "lines": len(asked),
        "key": _key(asked, any(one.pooled for found in marks.values() for one in found)),
        "chance": any(chances.values()),
    }


def _key(asked: Sequence[str], pooled: bool) -> list[dict[str, Any]]:
    """What colours and signs mean."""
    found = [_sign(words, colour) for colour, words in STANDINGS.items()]
    if len(asked) > 1:
        found += [_sign(TITLES[one], INK, own=one == OWN) for one in asked]
    return [*found, _sign("all samples in one place", WORSE, pooled=True)] if pooled else found


def _sign(words: str, colour: str, own: bool = True, pooled: bool = False) -> dict[str, Any]:
    return {"words": words, "colour": colour, "own": own, "pooled": pooled}


class _Axis:
    """The common axis of all panels: from the least value to the greatest, with some room."""

    def __init__(self, values: list[float]):
        low, high = min(values), max(values)
        room = ROOM * (high - low) or 1.0
        self.low, self.high = low - room, high + room
        found = MaxNLocator(TICKS, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        self.ticks = [float(at) for at in found if self.low <= at <= self.high]

    def place(self, value: float) -> float:
        """Where a value lies, in per cent of the axis."""
        return round(100 * (value - self.low) / (self.high - self.low), 1)


def _row_mark(mark: Mark, axis: _Axis, metric: Column, line: int, lines: int) -> dict[str, Any]:
    def shown(value: float) -> str:
        return metric.format(value / metric.scale)

    words = f"{TITLES[mark.question]}: {shown(mark.mean)}" if lines > 1 else shown(mark.mean)
    if mark.ends:
        words += f" ({' to '.join(map(shown, mark.ends))})"
    return {
        "x": axis.place(mark.mean),
        "y": round(100 * (line + 0.5) / lines),
        "ends": mark.ends and tuple(map(axis.place, mark.ends)),
        "tested": mark.tested,
        "colour": mark.colour,
        "own": mark.question == OWN,
        "pooled": mark.pooled,
        "words": f"{words}; {STANDINGS[mark.colour]}",
    }
