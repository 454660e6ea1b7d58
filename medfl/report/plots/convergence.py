"""Draws learning curves over rounds and over bytes: the mean over seeds, in a band of one sd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib.figure import Figure

from medfl.config import did_you_mean
from medfl.errors import MedflError
from medfl.pages.figures import styled
from medfl.report.curves import as_history
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.by_attack import draw_by_attack, unattacked
from medfl.report.plots.curve_data import Curve, curve_data
from medfl.report.plots.curve_lines import DRAWN, draw_curve, name_axes
from medfl.report.plots.style import ArmStyle, arm_styles, draw_chance, legend, say_if_empty
from medfl.report.questions import dotted
from medfl.report.statistics import Summary
from medfl.results import paths
from medfl.results.columns import (
    ACCURACY,
    BALANCED,
    EVERYONE,
    OWN,
    judged,
)
from medfl.results.frames import read_rounds
from medfl.results.intact import check_file
from medfl.results.record import read_record
from medfl.results.schema import COMPLETED
from medfl.results.tables import history_of

View = Literal["rounds", "bytes", "both"]


class Convergence(GridFigure):
    """How the primary metric grows over rounds and over traffic."""

    title = "Convergence"
    marks = "line: mean over seeds; band: ± one standard deviation over seeds"
    per = "partition"
    needs = "runs, finished or diverged"

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
        curves = curves_of(subject)
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
        curves = curves_of(subject)
        styles = {arm: subject.styles[unattacked(found, arm)] for arm in curves}
        return curve_data(curves, styles, subject.labels, subject.metric, level, groups)


def curves_of(subject: Subject) -> dict[str, Curve]:
    """The curve of each arm of a partition."""
    assert subject.partition is not None
    curves, dataset = {}, subject.dataset
    everyone = subject.results.primary(dataset, EVERYONE)
    for arm in subject.results.arms:
        there = subject.results.at(dataset, subject.partition, arm)
        runs = [run for run in there if run.record]
        state = subject.results.state(dataset, subject.partition, arm, everyone)
        curves[arm] = Curve(
            [history_of(run) for run in runs if run.completed],
            [history_of(run) for run in runs if not run.completed],
            state.summary if subject.results.marked(dataset, arm, OWN) else None,
        )
    return curves


def plot_convergence(
    source: str | Path | Sequence[str | Path] | Sequence[Mapping[str, Any]] | pd.DataFrame,
    *,
    metric: str | None = None,
    x: View = "rounds",
    title: str = "",
    path: str | Path | None = None,
) -> Figure:
    """Draw how runs converged.

    Args:
        source: a run folder; several of them (runs that differ only in their seed become one mean
            line with a band of ± one standard deviation); or a history in memory, as the rows of
            ``rounds.csv``, also as a table of pandas.
        metric: a column of ``rounds.csv``; by default the primary metric on test samples, for a
            history in memory balanced accuracy.
        x: over ``rounds``, over ``bytes`` (logarithmic), or ``both`` side by side.
        title: a heading.
        path: also save it here (the ending decides the format).

    Returns:
        The figure.

    Raises:
        MedflError: for an unknown metric or view, or a folder that is no finished run.
    """
    if metric is None:
        metric = _primary(source)
    if metric not in DRAWN:
        raise MedflError(f"unknown metric `{metric}`{did_you_mean(metric, DRAWN)}")
    if x not in ("rounds", "bytes", "both"):
        raise MedflError(f"unknown view `{x}`{did_you_mean(x, ('rounds', 'bytes', 'both'))}")
    curves = _gather(source)
    figure = draw(curves, arm_styles(list(curves)), metric=metric, x=x, title=title)
    if path is not None:
        figure.savefig(path)
    return figure


def _primary(source: Any) -> str:
    """The primary metric of the first run; of a history balanced accuracy, if it has that."""
    if isinstance(source, str | Path):
        source = [source]
    if isinstance(source, pd.DataFrame):
        known = set(source.columns)
    else:
        items = list(source)
        if items and isinstance(items[0], str | Path):
            record = read_record(Path(items[0], paths.RECORD))
            return judged(record.primary or BALANCED.metric).name
        known = {name for item in items for name in item}
    return BALANCED.name if BALANCED.name in known else ACCURACY.name


def _gather(source: Any) -> dict[str, Curve]:
    """The curves by label, from any of the forms that ``plot_convergence`` accepts."""
    if isinstance(source, pd.DataFrame):
        return {"this run": Curve([as_history(source)])}
    if isinstance(source, str | Path):
        source = [source]
    items = list(source)
    if not items:
        raise MedflError("nothing to plot: give a run folder, several, or a history.")
    if all(isinstance(item, Mapping) for item in items):
        return {"this run": Curve([as_history(pd.DataFrame(items))])}
    records = [read_record(Path(item, paths.RECORD)) for item in items]
    keys = [
        key
        for key in ("dataset", "partition", "arm")
        if key == "arm" or len({getattr(record, key) for record in records}) > 1
    ]
    curves: dict[str, Curve] = {}
    for item, record in zip(items, records, strict=True):
        curve = curves.setdefault(", ".join(getattr(record, key) for key in keys), Curve())
        history = as_history(read_rounds(item))
        check_file(Path(item), paths.ROUNDS, record)
        (curve.finished if record.status == COMPLETED else curve.stopped).append(history)
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
