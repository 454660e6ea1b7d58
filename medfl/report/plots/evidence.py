"""Shows what each arm is worth on new patients, and which arms the tests tell from the best one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medfl.pages.figures import GREY, panels, styled
from medfl.partition import partition_title
from medfl.report.grid_results import GridResults
from medfl.report.names import arm_label
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.evidence_marks import STANDINGS, Mark, best_first, chances_of, marks_of
from medfl.report.plots.evidence_rows import evidence_rows
from medfl.report.plots.style import say_if_empty
from medfl.report.questions import CHANCE, TITLES, asked_of, bare
from medfl.results.columns import EVERYONE, OWN

INK = {OWN: "black", EVERYONE: GREY}  # of what no image is worth
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

    def rows(self, subject: Subject) -> dict[str, Any] | None:
        """The same panels as rows of the page, below each other where the screen is narrow."""
        return evidence_rows(subject.results, subject.dataset)


@styled
def draw_evidence(results: GridResults, dataset: str) -> Figure | None:
    """Draw a row for each arm, with a mark for each question; None without a finished run."""
    arms = best_first(results, dataset)
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
            for mark in marks_of(results, dataset, partition, arm):
                number = asked.index(mark.question)
                _draw_mark(axis, mark, place + (number - (len(asked) - 1) / 2) * 0.36)
        say_if_empty(axis, results.any_finished(dataset, partition))
        for question, value in chances_of(results, dataset, partition).items():
            look = {"color": INK[question], "linestyle": ":", "linewidth": 1.0, "zorder": 1}
            axis.axvline(value, **look)
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


def _draw_mark(axis: Axes, mark: Mark, level: float) -> None:
    """An answer of an arm: its mean, and its interval for new patients."""
    colour = mark.colour
    if mark.ends and mark.tested:
        axis.plot(mark.ends, [level, level], color=colour, linewidth=2.0, alpha=0.55)
    elif mark.ends:
        low, high = mark.ends
        bars = [[mark.mean - low], [high - mark.mean]]
        axis.errorbar(mark.mean, level, xerr=bars, color=colour, linewidth=0.7, capsize=2)
    axis.plot(
        [mark.mean],
        [level],
        marker="D" if mark.pooled else "o",
        markersize=5.0 if mark.pooled else 5.5,
        color=colour,
        markerfacecolor=colour if mark.question == OWN else "white",
        markeredgewidth=1.3,
    )


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
