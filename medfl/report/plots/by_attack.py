"""Draws learning curves of arms that are attacked, an attack a panel."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from medfl.pages.figures import panels, styled
from medfl.report.attacked import PEACE
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import Subject
from medfl.report.plots.curve_data import Curve
from medfl.report.plots.curve_lines import draw_curve, name_axes
from medfl.report.plots.style import draw_chance, legend, say_if_empty

ACROSS = 3  # panels side by side, at most


@styled
def draw_by_attack(curves: Mapping[str, Curve], subject: Subject) -> Figure:
    """Draw a panel over rounds for each attack, that without any first.

    An arm is drawn as the same algorithm with the same rule is where nobody attacks. So the legend
    has each of these once, however many attacks they meet.
    """
    results, metric = subject.results, subject.metric
    conditions = [one for one in (PEACE, *results.attacks) if results.under(one)]
    chance = results.chance(subject.dataset, subject.partition, metric)
    looks = {arm: unattacked(results, arm) for arm in curves}
    shown = {one: subject.styles[one] for one in dict.fromkeys(looks.values())}
    rows, columns = panels(len(conditions), ACROSS)
    height = max(2.5 * rows, 0.21 * len(shown)) + 0.9
    figure = Figure(figsize=(3.0 * columns + 2.2, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for place, axis in enumerate(axes.flat):
        axis.set_visible(place < len(conditions))
    for place, (axis, attacked) in enumerate(zip(axes.flat, conditions, strict=False)):
        arms = [arm for arm in results.under(attacked) if arm in curves]
        for number, arm in enumerate(arms):
            look = subject.styles[looks[arm]]
            draw_curve(axis, curves[arm], look, metric.name, "rounds", number, len(arms))
        if chance:
            draw_chance(axis, metric.scale * chance.mean)
        say_if_empty(axis, any(curves[arm].finished for arm in arms))
        name_axes(axis, "rounds", metric.name, first=place % columns == 0)
        axis.set_title(attacked.words)
        below = place + columns < len(conditions)
        axis.tick_params(labelbottom=not below)
        if below:
            axis.set_xlabel("")
    everyone = any(curve.everyone for curve in curves.values())
    labels = {one: subject.labels.get(one, one) for one in shown}
    legend(figure, shown, labels, chance is not None, everyone)
    return figure


def unattacked(results: GridResults, arm: str) -> str:
    """The arm with the same algorithm and rule that nobody attacks; else the arm itself."""
    made = results.crossed.get(arm)
    for name, one in results.crossed.items():
        if made and not one.attack and (one.base, one.rule) == (made.base, made.rule):
            return name if name in results.arms else arm
    return arm
