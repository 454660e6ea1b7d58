"""What each arm is worth on new patients, as marks that the picture and the page draw alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

from medfl.report.attacked import PEACE
from medfl.report.grid_results import GridResults
from medfl.report.plots.style import spread, within
from medfl.report.questions import asked_of
from medfl.report.statistics import Summary
from medfl.results.columns import OWN

FIRST, LIKE, WORSE = "#009E73", "#0072B2", "#999999"
STANDINGS = {
    FIRST: "told from every other arm",
    LIKE: "cannot be told from the best mean",
    WORSE: "worse than the best, or no test",
}


@dataclass(frozen=True)
class Mark:
    """An arm's answer to a question, in the numbers that readers see.

    Attributes:
        question: ``OWN`` or ``EVERYONE``.
        mean: over seeds.
        ends: of the line through it; None where there is none.
        tested: whether the line is the interval for new patients, else ± one deviation over seeds.
        colour: what is sure of the arm, a key of ``STANDINGS``.
        pooled: whether the arm has all samples in one place, and does not compete.
    """

    question: str
    mean: float
    ends: tuple[float, float] | None
    tested: bool
    colour: str
    pooled: bool


def marks_of(results: GridResults, dataset: str, partition: str, arm: str) -> list[Mark]:
    """The answers of an arm, to the questions that it has an answer to."""
    marks = []
    for question in asked_of(results, dataset):
        summary = _summary(results, (dataset, partition, arm), question)
        if summary is None:
            continue
        metric = results.primary(dataset, question)
        interval = results.comparison(dataset, partition, question).intervals.get(arm)
        ends = None
        if interval:
            low, high = within(interval, metric)
            ends = low, high
        elif summary.sd:
            ends = spread(summary, metric)
        marks.append(
            Mark(
                question,
                metric.scale * summary.mean,
                ends,
                bool(interval),
                standing_colour(results, dataset, partition, arm, question),
                arm not in results.contenders(dataset),
            )
        )
    return marks


def chances_of(results: GridResults, dataset: str, partition: str) -> dict[str, float]:
    """Question → what no image is worth in a partition, where that is known."""
    found = {}
    for question in asked_of(results, dataset):
        metric = results.primary(dataset, question)
        chance = results.chance(dataset, partition, metric)
        if chance:
            found[question] = metric.scale * chance.mean
    return found


def best_first(results: GridResults, dataset: str) -> list[str]:
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


def standing_colour(
    results: GridResults, dataset: str, partition: str, arm: str, question: str
) -> str:
    """The colour of what is sure of an arm."""
    like = results.comparison(dataset, partition, question).like_best(results.contenders(dataset))
    if arm not in like:
        return WORSE
    return FIRST if len(like) == 1 else LIKE


def _summary(results: GridResults, where: tuple[str, str, str], question: str) -> Summary | None:
    return results.state(*where, results.primary(where[0], question)).summary
