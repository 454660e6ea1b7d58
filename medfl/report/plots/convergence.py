"""Draws learning curves over rounds and over bytes: the mean over seeds, in a band of one sd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from matplotlib.figure import Figure

from medfl.pages.figures import styled
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.by_attack import draw_by_attack, unattacked
from medfl.report.plots.curve_data import Curve, curve_data
from medfl.report.plots.curve_lines import DRAWN, draw_curve, name_axes
from medfl.report.plots.style import ArmStyle, draw_chance, legend, say_if_empty
from medfl.report.questions import dotted
from medfl.report.statistics import Summary
from medfl.results.columns import EVERYONE, OWN
from medfl.results.tables import history_of

View = Literal["rounds", "bytes", "both"]


class Convergence(GridFigure):
    """How the primary metric grows over rounds and over traffic."""

    title = "Convergence"
    marks = "line: mean over seeds; band: ± one standard deviation over seeds"
    per = "partition"
    needs = "runs, finished or diverged"
    _last: tuple[Subject, dict[str, Curve]] | None = None

    def caption(self, subject: Subject) -> str:
        """What lines, bands and crosses are."""
        apart = len(subject.results.questions(subject.dataset)) > 1
        everyone = "open diamond: for everyone, after the last round, where the line is not; "
        if subject.results.attacks:
            return (
                f"{subject.place}: {subject.metric_words} over rounds, for arms that are attacked "
                "alike. An arm looks as it does where nobody attacks. Line: mean over seeds; band: "
                "± one standard deviation; thin line with a cross: a run that diverged; "
                f"{everyone * apart}{dotted(subject.question)}"
            )
        return (
            f"{subject.place}: {subject.metric_words} over rounds and over traffic (logarithmic). "
            "Line: mean over seeds; band: ± one standard deviation; thin line with a cross: a run "
            f"that diverged; level line over traffic: an arm without any; {everyone * apart}"
            f"{dotted(subject.question)}"
        )

    def draw(self, subject: Subject) -> Figure | None:
        """Two panels with a line for each arm; under attack a panel for each attack."""
        curves = self._curves(subject)
        if not any(curve.finished or curve.stopped for curve in curves.values()):
            return None
        if subject.results.attacks:
            return draw_by_attack(curves, subject)
        return draw(
            curves,
            subject.styles,
            metric=subject.metric.name,
            labels=subject.labels,
            chance=subject.results.chance(subject.dataset, subject.partition, subject.metric),
        )

    def interactive(self, subject: Subject) -> dict[str, Any]:
        """The same curves for the page's script."""
        chance = subject.results.chance(subject.dataset, subject.partition, subject.metric)
        level = None if chance is None else subject.metric.scale * chance.mean
        found = subject.results
        groups = {arm: found.attacked(arm).words for arm in found.arms} if found.attacks else {}
        curves = self._curves(subject)
        styles = {arm: subject.styles[unattacked(found, arm)] for arm in curves}
        return curve_data(curves, styles, subject.labels, subject.metric, level, groups)

    def _curves(self, subject: Subject) -> dict[str, Curve]:
        """The curves of a picture, which are read once for both of its forms."""
        if self._last is None or self._last[0] is not subject:
            self._last = subject, curves_of(subject)
        return self._last[1]


def curves_of(subject: Subject) -> dict[str, Curve]:
    """The curve of each arm of a partition."""
    assert subject.partition is not None
    curves, dataset = {}, subject.dataset
    everyone = subject.results.primary(dataset, EVERYONE)
    drawn = "round", "bytes_total", subject.metric.name
    for arm in subject.results.arms:
        there = subject.results.at(dataset, subject.partition, arm)
        runs = [run for run in there if run.record]
        state = subject.results.state(dataset, subject.partition, arm, everyone)
        curves[arm] = Curve(
            [history_of(run, drawn) for run in runs if run.completed],
            [history_of(run, drawn) for run in runs if not run.completed],
            state.summary if subject.results.marked(dataset, arm, OWN) else None,
        )
    return curves


@styled
def draw(
    curves: Mapping[str, Curve],
    styles: dict[str, ArmStyle],
    *,
    metric: str,
    x: View = "both",
    title: str = "",
    labels: Mapping[str, str] | None = None,
    chance: Summary | None = None,
) -> Figure:
    """Draw curves by arm with the given styles, one panel per view, one legend beside them."""
    views = ["rounds", "bytes"] if x == "both" else [x]
    with_legend = len(styles) > 1
    height = max(3.6, 0.21 * len(styles) + 1.2)
    figure = Figure(
        figsize=(4.3 * len(views) + (2.0 if with_legend else 0.4), height), layout="constrained"
    )
    axes = figure.subplots(1, len(views), sharey=True, squeeze=False)[0]
    for axis, view in zip(axes, views, strict=True):
        for place, (arm, curve) in enumerate(curves.items()):
            draw_curve(axis, curve, styles[arm], metric, view, place, len(curves))
        if chance:
            draw_chance(axis, DRAWN[metric].scale * chance.mean)
        say_if_empty(axis, any(curve.finished for curve in curves.values()))
        name_axes(axis, view, metric, first=axis is axes[0])
    if with_legend:
        everyone = any(curve.everyone for curve in curves.values())
        legend(figure, styles, dict(labels or {}), chance is not None, everyone)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure
