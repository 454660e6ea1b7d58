"""Says which algorithm is best, as far as the numbers allow it and no further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from medfl.report import names
from medfl.report.attacked import PEACE, Attacked
from medfl.report.certainty import beside_alone, not_compared, standing
from medfl.report.grid_results import GridResults
from medfl.report.questions import about, asked_of
from medfl.report.statistics import Summary
from medfl.report.statistics.pairs import Comparison
from medfl.report.statistics.summary import Ranking
from medfl.results.column import Column
from medfl.results.columns import OWN


@dataclass(frozen=True)
class Finding:
    """The best arm on a dataset for one question, in one partition or in the mean over all.

    It is that of the arms which nobody attacks, or of those under one attack.

    Attributes:
        dataset: the dataset.
        partition: the partition; None for the mean over all.
        question: ``EVERYONE`` or ``OWN``.
        metric: the primary metric, as the answer to that question.
        ranking: the arms from best to worst.
        comparison: what may be claimed of them; None for the mean over partitions.
        marked: the arms that answer by each client's own model.
        chance: the metric where no image is looked at, if the best arm is not clearly above it.
        about: the question's name, where the dataset's arms answer two.
        alone: arm of clients that train alone → its mean.
        margin: within which arms are practically equal.
        attacked: who attacks the arms.
    """

    dataset: str
    partition: str | None
    question: str
    metric: Column
    ranking: Ranking
    comparison: Comparison | None = None
    marked: frozenset[str] = frozenset()
    chance: float | None = None
    about: str = ""
    alone: Mapping[str, float] = field(default_factory=dict)
    margin: float = 0.01
    attacked: Attacked = PEACE

    @property
    def best(self) -> str:
        """The best arm's name, with † if its models are the clients' own."""
        return self.mark(self.ranking.best)

    def mark(self, arm: str) -> str:
        """The name of an arm, with † if its models are the clients' own."""
        return names.arm_label(arm, arm in self.marked)

    @property
    def score(self) -> str:
        """``87.3 ± 0.4 % (6 seeds, 95 % interval for new patients 84.1 to 90.0)``."""
        summary = self.ranking.summaries[self.ranking.best]
        return describe(summary, self.metric, self.interval)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the best arm's mean on new patients lies; None where that is not known."""
        return self.comparison.intervals.get(self.ranking.best) if self.comparison else None

    @property
    def certainty(self) -> str:
        """How sure it is that the best arm is better than the others, in words."""
        words = standing(self.ranking, self.comparison, self.margin, self.marked)
        if self.comparison is not None:
            own = self.question == OWN
            words += beside_alone(self.ranking, self.comparison, self.alone, self.metric, own)
            words += not_compared(self.comparison)
        return words + chance_said(self)


def chance_said(found: Finding) -> str:
    """That the best arm is not clearly better than no image; empty where it is."""
    if found.chance is None:
        return ""
    unit = f" {found.metric.unit}" if found.metric.unit else ""
    return (
        "; NOT clearly better than an answer without any image "
        f"({found.metric.format(found.chance)}{unit})"
    )


def mean_and_sd(summary: Summary, metric: Column) -> str:
    """``87.3 ± 0.4``, as readers see the metric; the mean alone where there is one seed."""
    mean = metric.format(summary.mean)
    return mean if summary.sd is None else f"{mean} ± {metric.format(summary.sd)}"


def interval(ends: tuple[float | None, float | None], metric: Column) -> str:
    """``86.3 to 88.3``, cut to what the metric can be; empty for one seed."""
    low, high = ends
    if low is None or high is None:
        return ""
    least = -1.0 if metric.metric == "kappa" else 0.0
    return " to ".join(metric.format(min(1.0, max(least, end))) for end in (low, high))


def describe(summary: Summary, metric: Column, patients: tuple[float, float] | None = None) -> str:
    """A mean with its uncertainty: over new patients where that is known, else over re-runs."""
    value = mean_and_sd(summary, metric) + (f" {metric.unit}" if metric.unit else "")
    if summary.sd is None:
        return f"{value} (1 seed: no interval)"
    about = "for new patients" if patients else "over re-runs"
    ends = interval(patients or (summary.low, summary.high), metric)
    return f"{value} ({summary.n} seeds, 95 % interval {about} {ends})"


def findings(results: GridResults, dataset: str) -> list[Finding]:
    """The best arm for each question in each partition of a dataset, own patients first.

    Arms that are attacked take no part.
    """
    parts: list[str | None] = [*results.partitions_of(dataset)]
    if len(parts) > 1:
        parts.append(None)
    found = (
        finding(results, dataset, part, question)
        for part in parts
        for question in asked_of(results, dataset)
    )
    return [one for one in found if one]


def findings_attacked(results: GridResults, dataset: str) -> list[Finding]:
    """The arm that holds up best under each attack, in each partition and for each question."""
    found = (
        finding(results, dataset, part, question, attacked)
        for part in results.partitions_of(dataset)
        for attacked in results.attacks
        for question in asked_of(results, dataset)
    )
    return [one for one in found if one]


def finding(
    results: GridResults,
    dataset: str,
    partition: str | None,
    question: str,
    attacked: Attacked = PEACE,
) -> Finding | None:
    """The best arm for one question of those attacked alike; no partition: the mean over all."""
    metric = results.primary(dataset, question)
    ranking = results.ranking(dataset, partition, metric, attacked)
    if ranking is None:
        return None
    chance = results.chance(dataset, partition, metric)
    low = ranking.best in results.not_above_chance(dataset, partition, question)
    alone = {
        arm: found.mean
        for arm in results.under(attacked)
        if results.trains_alone(dataset, arm)
        and (found := results.state(dataset, partition, arm, metric).summary)
    }
    return Finding(
        dataset,
        partition,
        question,
        metric,
        ranking,
        results.comparison(dataset, partition, question, attacked) if partition else None,
        frozenset(arm for arm in results.arms if results.marked(dataset, arm, question)),
        chance.mean if chance and low else None,
        about(results, dataset, question),
        alone,
        results.margin(dataset),
        attacked,
    )
