"""The results of a grid: its runs, and what may be claimed of the arms that are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from medfl.config import CrossedArm
from medfl.config.report import EQUAL_WITHIN
from medfl.report.attacked import COST, PEACE, Attacked, Family
from medfl.report.evidence import Evidence, Measured
from medfl.report.grid_runs import GridRuns
from medfl.report.left_out import WithoutEach
from medfl.report.statistics.pairs import Comparison
from medfl.report.statistics.summary import Ranking, rank
from medfl.results.column import Column
from medfl.results.runs import REFERENCE, Run
from medfl.results.schema import DIVERGED


class GridResults(GridRuns):
    """The runs of a grid, and the comparisons of its arms."""

    def __init__(
        self,
        runs: Sequence[Run],
        margins: Mapping[str, float] | None = None,
        crossed: Mapping[str, CrossedArm] | None = None,
        left_out: WithoutEach | None = None,
    ):
        """Gather the runs.

        Args:
            runs: of the grid.
            margins: dataset → within which difference arms are practically equal.
            crossed: as for ``GridRuns``.
            left_out: as for ``Evidence``.
        """
        super().__init__(runs, crossed)
        self._margins = margins or {}
        self._evidence = Evidence(left_out)
        self._compared: dict[Family, Comparison] = {}

    def ranking(
        self, dataset: str, partition: str | None, metric: Column, attacked: Attacked = PEACE
    ) -> Ranking | None:
        """The arms that compete, from best to worst, without those that diverged with any seed.

        Those that nobody attacks compete with each other, and those under one attack.
        """
        values = {}
        for arm in self.under(attacked):
            if self.role(dataset, arm) == REFERENCE or self._diverged(dataset, partition, arm):
                continue
            values[arm] = (
                self.mean_values(dataset, arm, metric)
                if partition is None
                else self.values(dataset, partition, arm, metric)
            )
        return rank(values, metric.direction != "lower")

    def trains_alone(self, dataset: str, arm: str) -> bool:
        """Whether an arm's clients train without any federation."""
        runs = self.of(dataset, arm)
        return bool(runs) and all(run.record and run.record.evaluated == "local" for run in runs)

    def contenders(self, dataset: str, attacked: Attacked = PEACE) -> list[str]:
        """The arms that may be the best one of those attacked alike: all but pooled samples."""
        return [
            arm
            for arm in self.under(attacked)
            if self.role(dataset, arm) != REFERENCE or self.trains_alone(dataset, arm)
        ]

    def margin(self, dataset: str) -> float:
        """Within which difference arms are practically equal."""
        return self._margins.get(dataset, EQUAL_WITHIN / 100)

    def comparison(
        self, dataset: str, partition: str, question: str, attacked: Attacked = PEACE
    ) -> Comparison:
        """What may be claimed of arms, references too, by the primary metric: one ``Family``.

        Raises:
            MedflError: as ``Evidence.compare``.
        """
        family = Family(dataset, partition, question, attacked)
        if family not in self._compared:
            asked = self._asked(family)
            between = self.one_is_attacked if attacked == COST else None
            self._compared[family] = self._evidence.compare(*asked, between=between)
        return self._compared[family]

    def one_is_attacked(self, arm: str, other: str) -> bool:
        """Whether one of two arms is attacked and the other is not."""
        return (self.attacked(arm) == PEACE) != (self.attacked(other) == PEACE)

    def measured(self, family: Family) -> Measured:
        """The numbers behind ``comparison``.

        Raises:
            MedflError: as ``Evidence.gather``.
        """
        return self._evidence.gather(*self._asked(family))

    def _asked(self, family: Family) -> tuple[dict[str, list[Run]], Column, list[str]]:
        """The runs by arm, the metric, and the arms that decide which seeds are compared."""
        dataset, partition, question, attacked = family
        chosen = self.arms if attacked == COST else self.under(attacked)
        arms = {arm: self.at(dataset, partition, arm) for arm in chosen}
        ranked = [arm for arm in chosen if self.role(dataset, arm) != REFERENCE]
        return arms, self.primary(dataset, question), ranked

    @property
    def families(self) -> list[Family]:
        """The families of claims that the grid makes.

        In each dataset, partition and question there is one of the arms that nobody attacks, one
        for each attack, and one of what attacks cost.
        """
        peace = [PEACE] if self.under(PEACE) or not self.attacks else []
        groups = [*peace, *self.attacks, *([COST] if peace and self.attacks else [])]
        return [
            Family(dataset, partition, question, attacked)
            for dataset in self.datasets
            for partition in self.partitions_of(dataset)
            for question in self.questions(dataset)
            for attacked in groups
        ]

    def compare_all(self) -> None:
        """Make every family's comparison, so that what is wrong is known before a file is written.

        Raises:
            MedflError: as ``Evidence.compare``.
        """
        for family in self.families:
            self.comparison(*family)

    def _diverged(self, dataset: str, partition: str | None, arm: str) -> bool:
        parts: Iterable[str] = self.partitions_of(dataset) if partition is None else [partition]
        return any(run.status == DIVERGED for part in parts for run in self.at(dataset, part, arm))
