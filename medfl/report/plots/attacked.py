"""Draws what rules are worth against the share of attackers, an attack a panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medfl.pages.figures import LINES, PALETTE, panels, styled
from medfl.report.attacked import PEACE, Attacked
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.style import MARKERS, draw_chance, say_if_empty, spread
from medfl.report.questions import CHANCE, TITLES
from medfl.report.robustness import NOT_DEFINED, Crossing, crossings
from medfl.report.robustness_tables import heading
from medfl.results.column import Column
from medfl.results.columns import BACKDOOR, OWN, WORST

ACROSS = 4  # panels side by side, at most
SHORT = {WORST.name: "Worst honest client (%)", BACKDOOR.name: "Backdoor success (%)"}


class UnderAttack(GridFigure):
    """The primary metric of each rule against the share of attackers, an attack a panel."""

    title = "Under attack"
    per = "partition"
    marks = "band: ± one standard deviation over seeds"
    needs = "finished runs under attack"
    about: ClassVar[str] = ""

    def subjects(self, results: GridResults, dataset: str, **look: Any) -> list[Subject]:
        """The partitions, where the grid's arms were crossed with attacks."""
        attacked = any(one.attack for one in results.crossed.values())
        return super().subjects(results, dataset, **look) if attacked else []

    def column(self, subject: Subject) -> Column:
        """What is drawn."""
        return subject.metric

    def caption(self, subject: Subject) -> str:
        """What lines and bands are."""
        return (
            f"{subject.place}: {self.about or subject.metric_words} against the share of clients "
            "that attack: mean over seeds, band: ± standard deviation. A panel for each attack on "
            "each arm, a line for each rule; at 0 nobody attacks."
        )

    def draw(self, subject: Subject) -> Figure | None:
        """A panel for each attack; None where no attacked run has finished."""
        results, dataset = subject.results, subject.dataset
        assert subject.partition is not None
        found = list(crossings(results, dataset, subject.partition))
        return draw_attacked(found, self.column(subject))


class WorstUnderAttack(UnderAttack):
    """The worst honest client of each rule against the share of attackers."""

    title = "Worst honest client under attack"
    shown = "folded"
    about = (
        f"test accuracy ({TITLES[OWN]}) of the client that is off worst, of those that attack in "
        "no arm of the seed,"
    )

    def column(self, subject: Subject) -> Column:
        """What is drawn."""
        return WORST


class BackdoorSuccess(UnderAttack):
    """How often the model takes marked images for the attackers' target, by rule."""

    title = "Backdoor success"
    shown = "folded"
    needs = "finished runs with a backdoor"
    about = "marked test images of other classes that the server's model takes for the target (%)"

    def subjects(self, results: GridResults, dataset: str, **look: Any) -> list[Subject]:
        """The partitions, where any run met a backdoor."""
        known = BACKDOOR.name in results.frame and results.known(BACKDOOR)
        return super().subjects(results, dataset, **look) if known else []

    def column(self, subject: Subject) -> Column:
        """What is drawn."""
        return BACKDOOR


@styled
def draw_attacked(found: Sequence[Crossing], metric: Column) -> Figure | None:
    """Draw a panel for each attack on each arm that was crossed."""
    places = [
        (one, attack)
        for one in found
        for attack in dict.fromkeys(a.attack for a in one.attacks if a != PEACE)
        if metric is not BACKDOOR or _values(one, attack, metric)
    ]
    if not any(_values(*place, metric) for place in places):
        return None
    rules = list(dict.fromkeys(rule for one in found for rule in one.rules))
    looks = {rule: _look(number) for number, rule in enumerate(rules)}
    rows, columns = panels(len(places), ACROSS)
    figure = Figure(figsize=(2.6 * columns + 0.6, 2.4 * rows + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True, sharex=True)
    lined = False
    for axis, (one, attack) in zip(axes.flat, places, strict=False):
        for rule in one.rules:
            _draw_line(axis, one, rule, attack, metric, looks[rule])
        say_if_empty(axis)
        if metric is one.metric and (
            chance := one.results.chance(one.dataset, one.partition, metric)
        ):
            lined = True
            draw_chance(axis, metric.scale * chance.mean)
        _say_not_defined(axis, one, attack)
        axis.set_title(f"{one.base}: {attack}" if len(found) > 1 else attack)
    most = 100 * max(
        one.share(rule, attacked) or 0
        for one in found
        for rule in one.rules
        for attacked in one.attacks
    )
    axes[0, 0].set_xlim(-0.08 * most, 1.08 * most)
    for place, axis in enumerate(axes.flat):
        axis.set_visible(place < len(places))
        if place + columns >= len(places):  # nothing lies below it
            axis.set_xlabel("clients that attack (%)")
            axis.tick_params(labelbottom=True)
        if place % columns == 0:
            axis.set_ylabel(SHORT.get(metric.name, metric.title))
    handles = [Line2D([], [], label=heading(rule), **look) for rule, look in looks.items()]
    if lined:
        handles.append(Line2D([], [], color="black", linestyle=":", label=CHANCE))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))
    return figure


def _look(number: int) -> dict[str, Any]:
    return {
        "color": PALETTE[number % len(PALETTE)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": LINES[number // len(PALETTE) % len(LINES)],
        "linewidth": 1.3,
        "markersize": 4.5,
    }


def _values(one: Crossing, attack: str, metric: Column) -> bool:
    """Whether any rule has a number under an attack."""
    return any(
        (state := one.state(rule, attacked, metric)) and state.summary
        for rule in one.rules
        for attacked in one.attacks
        if attacked.attack == attack
    )


def _draw_line(
    axis: Axes, one: Crossing, rule: str, attack: str, metric: Column, look: dict[str, Any]
) -> None:
    """The line of one rule, from the least share of attackers to the largest."""
    points = []
    for attacked in (a for a in one.attacks if a == PEACE or a.attack == attack):
        state, share = one.state(rule, attacked, metric), one.share(rule, attacked)
        if state and state.summary and share is not None:
            points.append((100 * share, metric.scale * state.summary.mean, state.summary))
    points.sort(key=lambda point: point[0])
    if points:
        at, mean, summaries = zip(*points, strict=True)
        axis.plot(at, mean, **look)
        low, high = zip(*(spread(summary, metric) for summary in summaries), strict=True)
        axis.fill_between(at, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _say_not_defined(axis: Axes, one: Crossing, attack: str) -> None:
    """Which rules do not exist for so many clients and attackers, within the panel."""
    lost: dict[Attacked, list[str]] = {}
    for attacked in (a for a in one.attacks if a.attack == attack):
        for rule in (rule for rule in one.rules if one.why_not(rule, attacked)):
            lost.setdefault(attacked, []).append(rule)
    lines = []
    for attacked, rules in lost.items():
        which = "all rules" if len(rules) == len(one.rules) else ", ".join(rules)
        lines.append(f"{attacked.many}: {which}")
    if lines:
        words = "\n".join([f"{NOT_DEFINED}:", *lines])
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        place: dict[str, Any] = {"transform": axis.transAxes, "va": "bottom", "bbox": behind}
        axis.text(0.03, 0.03, words, fontsize=7, **place)
