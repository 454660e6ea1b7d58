"""Draws what each protection costs in seconds and bytes."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from medfl.pages.figures import GREY, PALETTE, styled
from medfl.partition import partition_title
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.privacy import protects
from medfl.report.privacy_tables import COST, protected_arms

BAR = 0.24  # inches of height for each arm


class ProtectionCost(GridFigure):
    """What each protection costs in seconds and bytes."""

    title = "Cost of protection"
    marks = "mean ± one standard deviation over seeds"
    needs = "finished runs"

    def subjects(self, results: GridResults, dataset: str, **look: Any) -> list[Subject]:
        """The dataset, where one of its arms is protected."""
        return super().subjects(results, dataset, **look) if protects(results, dataset) else []

    def caption(self, subject: Subject) -> str:
        """What bars are."""
        return (
            f"{subject.place}: seconds and traffic (up and down, all clients) of a whole run, mean "
            "± standard deviation over seeds, by what one ε protects. Seconds are those of this "
            "machine and of whatever else ran on it."
        )

    def draw(self, subject: Subject) -> Figure | None:
        """A row of panels for each partition."""
        return draw_cost(subject.results, subject.dataset, subject.labels)


def unit_colours(results: GridResults, dataset: str) -> dict[str, str]:
    """A colour for each unit of protection, the same in every panel; grey for none."""
    units = dict.fromkeys(
        one.unit
        for partition in results.partitions_of(dataset)
        for _, one in protected_arms(results, dataset, partition)
        if one.unit
    )
    return {**{unit: PALETTE[n % len(PALETTE)] for n, unit in enumerate(units)}, "": GREY}


@styled
def draw_cost(results: GridResults, dataset: str, labels: dict[str, str]) -> Figure | None:
    """Draw seconds and traffic as bars: a row for each partition, an arm a bar."""
    arms = {part: protected_arms(results, dataset, part) for part in results.partitions_of(dataset)}
    shown = [part for part, found in arms.items() if found]
    if not shown:
        return None
    colours = unit_colours(results, dataset)
    heights = [BAR * len(arms[part]) + 0.8 for part in shown]
    figure = Figure(figsize=(10.0, sum(heights) + 0.4), layout="constrained")
    axes = figure.subplots(len(shown), len(COST), squeeze=False, height_ratios=heights)
    for row, partition in zip(axes, shown, strict=True):
        for axis, metric in zip(row, COST, strict=True):
            for level, (arm, one) in enumerate(arms[partition]):
                summary = results.state(dataset, partition, arm, metric).summary
                if summary:
                    sd = summary.sd or 0.0
                    less = min(sd, summary.mean)  # no bar of seconds reaches below none
                    axis.barh(level, summary.mean, color=colours[one.unit], xerr=[[less], [sd]])
                    end = summary.mean + sd
                    axis.annotate(
                        f" {metric.format(summary.mean)}", (end, level), va="center", fontsize=8
                    )
            axis.set_title(partition_title(partition))
            axis.set_xlabel(metric.title)
            axis.margins(x=0.15)
            names = [labels.get(arm, arm) for arm, _ in arms[partition]]
            axis.set_yticks(range(len(names)), names if metric is COST[0] else [""] * len(names))
            axis.set_ylim(len(names) - 0.4, -0.6)
            axis.grid(visible=False, axis="y")
    handles = [
        Patch(color=colour, label=f"ε of one {unit}" if unit else "no ε")
        for unit, colour in colours.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure
