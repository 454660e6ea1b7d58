"""Shows what each arm is worth on new patients, and which arms the tests tell from the best one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medfl.pages.figures import GREY, panels, styled
from medfl.partition import partition_title
from medfl.report.attacked import PEACE
from medfl.report.grid_results import GridResults
from medfl.report.names import arm_label
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.style import say_if_empty, spread, within
from medfl.report.questions import CHANCE, TITLES, asked_of, bare
from medfl.report.statistics import Summary
from medfl.results.columns import EVERYONE, OWN

INK = {OWN: "black", EVERYONE: GREY}  # of what no image is worth
FIRST, LIKE, WORSE = "#009E73", "#0072B2", "#999999"
STANDINGS = {
    FIRST: "told from every other arm",
    LIKE: "cannot be told from the best mean",
    WORSE: "worse than the best, or no test",
}
ROW, DENSE = 0.21, 0.16  # inches for each answer of an arm, and where there are many
PANEL = 2.5  # inches across


class ArmsByEvidence(GridFigure):
    """What each arm is worth for both questions, with what is sure of it."""

    title = "Arms and evidence"
    marks = "line: 95 % interval for new patients; with ends: ± one standard deviation over seeds"
    needs = "finished runs that nobody attacks"
    shown = "first"

    def caption(self, subject: Subject) -> str:
        """What marks, lines and colours are."""
        primary = bare(subject.results.primary(subject.dataset))
        both = len(subject.results.questions(subject.dataset)) > 1
        views = (
            "Filled: each client's own patients, judged by the model that it would use; open: one "
            "model for everyone (†: the clients' own models, in the mean). "
            if both
            else ""
        )
        return (
            f"{subject.place}: {primary} of every arm on test samples, the best on own patients at "
            f"the top. {views}A line is the 95 % interval for new patients; a thin one with ends, "
            "where nothing can be tested, ± one standard deviation over seeds. Green: told from "
            "every other arm but those on pooled samples (all pairs, Holm, p < 0.05); blue: not "
            "told from the best mean; grey: worse, or without a test. Diamond: all samples in one "
            "place, which does not compete. Dotted: no image."
            + (" Arms that are attacked are not shown." if subject.results.attacks else "")
        )

    def draw(self, subject: Subject) -> Figure | None:
        """A panel for each partition."""
        return draw_evidence(subject.results, subject.dataset)


@styled
def draw_evidence(results: GridResults, dataset: str) -> Figure | None:
    """Draw a row for each arm, with a mark for each question; None without a finished run."""
    arms = _in_order(results, dataset)
    if not arms:
        return None
    asked = asked_of(results, dataset)
    rows, columns = panels(
        len(results.partitions_of(dataset)), 2 if len(results.partitions_of(dataset)) < 5 else 3
    )
    names = [arm_label(arm, results.marked(dataset, arm, OWN)) for arm in arms]
    beside = 0.35 + 0.078 * max(map(len, names))
    high = max((ROW if len(arms) < 12 else DENSE) * len(asked) * len(arms) + 0.25, 0.8)
    figure = Figure(
        figsize=(max(beside + PANEL * columns, 6.2), (high + 0.75) * rows + 1.2),
        layout="constrained",
    )
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axis, partition in zip(axes.flat, results.partitions_of(dataset), strict=False):
        for place, arm in enumerate(arms):
            for number, question in enumerate(asked):
                level = place + (number - (len(asked) - 1) / 2) * 0.36
                _mark(axis, results, (dataset, partition, arm), question, level)
        say_if_empty(axis, results.any_finished(dataset, partition))
        for question in asked:
            metric = results.primary(dataset, question)
            chance = results.chance(dataset, partition, metric)
            if chance:
                look = {"color": INK[question], "linestyle": ":", "linewidth": 1.0, "zorder": 1}
                axis.axvline(metric.scale * chance.mean, **look)
        axis.set_title(partition_title(partition))
        axis.set_yticks(range(len(arms)), names)
        axis.grid(visible=False, axis="y")
    axes.flat[0].set_ylim(len(arms) - 0.45, -0.55)
    for axis in axes.flat[len(results.partitions_of(dataset)) :]:
        axis.set_visible(False)
    for axis in axes.flat[: len(results.partitions_of(dataset))]:
        axis.tick_params(labelbottom=True, axis="x")
        axis.set_xlabel(results.primary(dataset, OWN).title)
    figure.legend(handles=_handles(asked), loc="outside lower left", ncols=2 if columns < 3 else 3)
    return figure


def _in_order(results: GridResults, dataset: str) -> list[str]:
    """The unattacked arms with a result, by the mean over partitions on own patients."""
    means = {}
    for arm in results.under(PEACE):
        found = [
            _summary(results, (dataset, part, arm), OWN) for part in results.partitions_of(dataset)
        ]
        known = [one.mean for one in found if one]
        if known:
            means[arm] = math.fsum(known) / len(known)
    return sorted(means, key=lambda arm: -means[arm])


def _summary(results: GridResults, where: tuple[str, str, str], question: str) -> Summary | None:
    return results.state(*where, results.primary(where[0], question)).summary


def _mark(
    axis: Axes, results: GridResults, where: tuple[str, str, str], question: str, level: float
) -> None:
    """An answer of an arm: its mean, and its interval for new patients."""
    dataset, partition, arm = where
    summary, metric = _summary(results, where, question), results.primary(dataset, question)
    if summary is None:
        return
    comparison = results.comparison(dataset, partition, question)
    colour = standing_colour(results, dataset, partition, arm, question)
    ends = comparison.intervals.get(arm)
    mean = metric.scale * summary.mean
    if ends:
        axis.plot(within(ends, metric), [level, level], color=colour, linewidth=2.0, alpha=0.55)
    elif summary.sd:
        low, high = spread(summary, metric)
        bars = [[mean - low], [high - mean]]
        axis.errorbar(mean, level, xerr=bars, color=colour, linewidth=0.7, capsize=2)
    pooled = arm not in results.contenders(dataset)
    axis.plot(
        [mean],
        [level],
        marker="D" if pooled else "o",
        markersize=5.0 if pooled else 5.5,
        color=colour,
        markerfacecolor=colour if question == OWN else "white",
        markeredgewidth=1.3,
    )


def standing_colour(
    results: GridResults, dataset: str, partition: str, arm: str, question: str
) -> str:
    """The colour of what is sure of an arm."""
    like = results.comparison(dataset, partition, question).like_best(results.contenders(dataset))
    if arm not in like:
        return WORSE
    return FIRST if len(like) == 1 else LIKE


def _handles(asked: Sequence[str]) -> list[Line2D]:
    """The legend: colours, then questions."""
    look: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 5.5}
    found = [Line2D([], [], color=one, label=words, **look) for one, words in STANDINGS.items()]
    if len(asked) > 1:
        for question in asked:
            fill = "black" if question == OWN else "white"
            label = TITLES[question]
            found.append(Line2D([], [], color="black", markerfacecolor=fill, label=label, **look))
    found.append(Line2D([], [], color="black", linestyle=":", label=CHANCE))
    return found
