"""All pictures of a grid, each under a name that says what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from medfl.report import names
from medfl.report.plots.clients import draw_clients
from medfl.report.plots.confusion import draw_confusions
from medfl.report.plots.convergence import Curve, draw
from medfl.report.plots.style import ArmStyle, arm_styles, save
from medfl.report.plots.tradeoff import draw_heterogeneity, draw_traffic
from medfl.report.results import Results
from medfl.results.collect import PERSONAL, REFERENCE
from medfl.results.frames import read_rounds


@dataclass(frozen=True)
class Picture:
    """A file with what it shows; ``partition`` is None for a picture of all partitions."""

    path: Path
    kind: str
    dataset: str
    partition: str | None
    caption: str

    @property
    def title(self) -> str:
        """What it is of."""
        return names.partition_title(self.partition) if self.partition else self.dataset


def draw_figures(results: Results, folder: Path) -> list[Picture]:
    """Draw every picture as PNG and SVG into ``folder``; give the PNGs."""
    pictures: list[Picture] = []
    references = [
        arm
        for arm in results.arms
        if all(results.role(dataset, arm) == REFERENCE for dataset in results.datasets)
    ]
    styles = arm_styles(results.arms, references)

    def keep(figure: Figure | None, kind: str, dataset: str, part: str | None, words: str) -> None:
        if figure is not None:
            stem = "_".join(word for word in (kind, dataset, part) if word)
            pictures.append(Picture(save(figure, folder / stem), kind, dataset, part, words))

    for dataset in results.datasets:
        labels = {
            arm: f"{arm} †" if results.role(dataset, arm) == PERSONAL else arm
            for arm in results.arms
        }
        for part in results.partitions:
            place = f"{dataset}, {names.partition_title(part)}"
            keep(
                _convergence(results, dataset, part, styles, labels),
                "convergence",
                dataset,
                part,
                f"{place}: test accuracy over rounds (left) and over traffic, logarithmic (right). "
                "Line: mean over seeds; band: ± one standard deviation; thin line with a cross: a "
                "run that diverged; level line in the right panel: an arm without traffic.",
            )
            keep(
                draw_confusions(results, dataset, part, class_names(results, dataset), labels),
                "confusion",
                dataset,
                part,
                f"{place}: share of each true class (row) by predicted class (column), mean over "
                "seeds. Grey rows: classes without test samples.",
            )
        keep(
            draw_clients(results, dataset, labels),
            "clients",
            dataset,
            None,
            f"{dataset}: test accuracy of every client with every seed; the worst client of each "
            "seed is a triangle, the black bar is the mean of clients.",
        )
        keep(
            draw_traffic(results, dataset, styles, labels),
            "traffic",
            dataset,
            None,
            f"{dataset}: test accuracy against the traffic of a whole run, mean ± standard "
            "deviation over seeds; level lines: arms without traffic.",
        )
        keep(
            draw_heterogeneity(results, dataset, styles, labels),
            "heterogeneity",
            dataset,
            None,
            f"{dataset}: test accuracy against the mean Jensen–Shannon distance between the "
            "clients' label distributions, mean ± standard deviation over seeds.",
        )
    return pictures


def class_names(results: Results, dataset: str) -> list[str]:
    """The classes of a dataset, in the order of its records' per-class metrics."""
    for run in results.runs:
        if run.dataset == dataset and run.test.per_class:
            return list(run.test.per_class)
    return []


def _convergence(
    results: Results,
    dataset: str,
    partition: str,
    styles: dict[str, ArmStyle],
    labels: dict[str, str],
) -> Figure | None:
    curves = {}
    for arm in results.arms:
        runs = [run for run in results.at(dataset, partition, arm) if run.record]
        curves[arm] = Curve(
            [read_rounds(run.folder) for run in runs if run.completed],
            [read_rounds(run.folder) for run in runs if not run.completed],
        )
    if not any(curve.finished or curve.stopped for curve in curves.values()):
        return None
    title = f"{dataset}, {names.partition_title(partition)}"
    return draw(curves, styles, title=title, labels=labels)
