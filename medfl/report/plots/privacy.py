"""Draws test metrics against ε, by what one ε protects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from medfl.pages.figures import GREY, LINES, styled
from medfl.partition import partition_title
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.protection import unit_colours
from medfl.report.plots.style import MARKERS, draw_chance, say_if_empty, spread
from medfl.report.privacy import Protection, epsilon_words, promises
from medfl.report.privacy_tables import QUALITY, protected_arms
from medfl.report.questions import dotted
from medfl.results.column import Column
from medfl.results.columns import OWN, judged

BEYOND = 2.5  # ∞ stands so many times as far right as the largest ε
CLOSE = 1.2  # ticks closer than this would touch
APART = 1.05  # lines at one ε stand so far apart that none hides another
NAME_HEIGHT = 0.07  # of a panel; names of level lines that are nearer share one place


@dataclass(frozen=True)
class Series:
    """One line: the arms of one algorithm that protect the same in the same way.

    Attributes:
        label: what the legend calls it.
        unit: what one ε protects.
        arms: ε → arm, from the least.
    """

    label: str
    unit: str
    arms: dict[float, str]


def series_of(results: GridResults, dataset: str, partition: str) -> list[Series]:
    """The lines of a panel; arms of the same ε and algorithm beside one another are two lines."""
    found: dict[tuple[str, str, tuple[str, ...], int], dict[float, str]] = {}
    for arm, one in protected_arms(results, dataset, partition):
        if one.epsilon is None:
            continue
        number, key = 0, (one.unit, _algorithm(results, dataset, arm), one.hidden)
        while round(one.epsilon, 2) in {round(e, 2) for e in found.get((*key, number), {})}:
            number += 1
        found.setdefault((*key, number), {})[one.epsilon] = arm
    return [
        Series(_label(unit, algorithm, hidden, arms), unit, arms)
        for (unit, algorithm, hidden, _), arms in found.items()
    ]


def _label(unit: str, algorithm: str, hidden: tuple[str, ...], arms: dict[float, str]) -> str:
    """``fedavg, image``; an arm that is alone in its line is called by its own name."""
    name = next(iter(arms.values())) if len(arms) == 1 else ", ".join((algorithm, *hidden))
    return f"{name}: {unit}"


def _algorithm(results: GridResults, dataset: str, arm: str) -> str:
    runs = results.of(dataset, arm)
    return (runs[0].record.algorithm if runs and runs[0].record else None) or arm


class AgainstEpsilon(GridFigure):
    """What test metrics lose at each ε, by what one ε protects."""

    title = "Test metrics and ε"
    marks = "mean ± one standard deviation over seeds"
    both = True
    needs = "finished runs of arms with an ε"

    def subjects(self, results: GridResults, dataset: str, **look: Any) -> list[Subject]:
        """The dataset, where one of its arms has an ε."""
        return super().subjects(results, dataset, **look) if promises(results, dataset) else []

    def caption(self, subject: Subject) -> str:
        """What points, bars and lines are."""
        return (
            f"{subject.place}: metrics on {subject.samples} against ε on a logarithmic axis, by "
            "what one ε protects: mean ± standard deviation over seeds. ∞: clipped and sampled "
            "alike, without noise. Lines at one ε stand a little apart. Level grey lines: arms "
            "that nothing protects. An ε of one unit cannot be compared with that of another; "
            f"{dotted(subject.question)}"
        )

    def draw(self, subject: Subject) -> Figure | None:
        """A row of panels for each partition; None where no arm with an ε has finished."""
        return draw_privacy(subject.results, subject.dataset, subject.question)


@styled
def draw_privacy(results: GridResults, dataset: str, question: str = OWN) -> Figure | None:
    """Draw each metric over ε: a row for each partition, a column for each metric.

    The worst client is asked about own patients alone.
    """
    metrics = [judged(one.metric, question) for one in QUALITY if one.metric]
    metrics += [one for one in QUALITY if not one.metric and one.question == question]
    by_partition = {
        part: series_of(results, dataset, part) for part in results.partitions_of(dataset)
    }
    shown = [part for part, found in by_partition.items() if found]
    if not shown:
        return None
    colours = unit_colours(results, dataset)
    labels = list(dict.fromkeys(s.label for part in shown for s in by_partition[part]))
    units = {s.label: s.unit for part in shown for s in by_partition[part]}
    looks = {label: _look(number, colours[units[label]]) for number, label in enumerate(labels)}
    figure = Figure(figsize=(10.0, 2.7 * len(shown) + 0.9), layout="constrained")
    axes = figure.subplots(len(shown), len(metrics), squeeze=False, sharex=True)
    lined = plain = False
    for row, partition in zip(axes, shown, strict=True):
        found = by_partition[partition]
        for axis, metric in zip(row, metrics, strict=True):
            spent = [epsilon for one in found for epsilon in one.arms]
            for place, one in enumerate(found):
                _draw_series(axis, results, (dataset, partition), metric, one, looks, place, spent)
            level = _draw_unprotected(axis, results, dataset, partition, metric)
            plain |= bool(level)
            chance = results.chance(dataset, partition, metric)
            if chance:
                lined = True
                draw_chance(axis, metric.scale * chance.mean)
            _name_level(axis, level)
            say_if_empty(axis, finished=True)
            axis.set_ylabel(metric.title)
            _epsilon_axis(axis, spent)
        row[len(metrics) // 2].set_title(partition_title(partition))
    for axis in axes[-1]:
        axis.set_xlabel("ε")
    handles = [Line2D([], [], label=label, **look) for label, look in looks.items()]
    if plain:
        handles.append(Line2D([], [], color=GREY, label="no ε, nothing hidden"))
    if lined:
        handles.append(Line2D([], [], color="black", linestyle=":", label="no image"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))
    return figure


def _look(number: int, colour: str) -> dict[str, Any]:
    return {
        "color": colour,
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": LINES[number % len(LINES)],
        "linewidth": 1.3,
        "markersize": 5.5,
    }


def places_of(spent: Sequence[float]) -> dict[float, float]:
    """Where each ε stands on the axis; ∞ has a place to the right of all others."""
    largest = max((epsilon for epsilon in spent if math.isfinite(epsilon)), default=1.0)
    return {e: e if math.isfinite(e) else largest * BEYOND for e in spent}


def _draw_series(
    axis: Axes,
    results: GridResults,
    where: tuple[str, str],
    metric: Column,
    series: Series,
    looks: dict[str, dict[str, Any]],
    place: int,
    spent: Sequence[float],
) -> None:
    at, places = [], places_of(spent)
    mean, ends = [], []
    for epsilon, arm in series.arms.items():
        summary = results.state(*where, arm, metric).summary
        if summary:
            at.append(places[epsilon] * APART**place)
            mean.append(metric.scale * summary.mean)
            ends.append(spread(summary, metric))
    if at:
        bars = [
            [m - low for m, (low, _) in zip(mean, ends, strict=True)],
            [high - m for m, (_, high) in zip(mean, ends, strict=True)],
        ]
        axis.errorbar(at, mean, yerr=bars, capsize=2.5, elinewidth=1.0, **looks[series.label])


def _draw_unprotected(
    axis: Axes, results: GridResults, dataset: str, partition: str, metric: Column
) -> dict[str, float]:
    """A level line for each arm that has no ε and hides nothing; arm → where its line is."""
    level = {}
    for arm, one in protected_arms(results, dataset, partition):
        summary = results.state(dataset, partition, arm, metric).summary
        if one == Protection() and summary:
            level[arm] = metric.scale * summary.mean
            axis.axhline(level[arm], color=GREY, linewidth=1.1, zorder=1)
    return level


def _name_level(axis: Axes, level: dict[str, float]) -> None:
    """Each level line's name above it; lines that are as good as one have their names together."""
    low, high = axis.get_ylim()
    places: list[tuple[float, list[str]]] = []
    for arm, value in sorted(level.items(), key=lambda one: one[1]):
        if places and value - places[-1][0] < NAME_HEIGHT * (high - low):
            places[-1] = value, [*places[-1][1], arm]  # above the upper of them
        else:
            places.append((value, [arm]))
    for value, arms in places:
        axis.annotate(
            fill(", ".join(arms), 40),
            xy=(1.0, value),
            xycoords=axis.get_yaxis_transform(),
            ha="right",
            va="bottom",
            fontsize=7.5,
            color=GREY,
        )


def _epsilon_axis(axis: Axes, spent: Sequence[float]) -> None:
    """A logarithmic axis with a tick at each ε, of which ∞ is the last."""
    axis.set_xscale("log")
    ticks: dict[float, float] = {}
    for epsilon, place in sorted(places_of(spent).items()):
        # Budgets are hardly ever spent to the last digit: one tick for what would touch.
        for near in [one for one in ticks if one * CLOSE > place]:
            del ticks[near]
        ticks[place] = epsilon
    axis.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticklabels([_tick(epsilon) for epsilon in ticks.values()])
    axis.set_xlim(min(ticks) / 1.3, max(ticks) * 1.5)
    if any(math.isinf(epsilon) for epsilon in spent) and len(ticks) > 1:
        finite = max(place for place, epsilon in ticks.items() if math.isfinite(epsilon))
        axis.axvline(finite * math.sqrt(BEYOND), color="#bbbbbb", linestyle="--", linewidth=0.8)


def _tick(epsilon: float) -> str:
    return epsilon_words(epsilon) if math.isinf(epsilon) else f"{epsilon:.2g}"
