"""The runs of a grid by dataset, partition and arm, and their numbers with the seeds gathered."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from medfl.config import CrossedArm
from medfl.report.attacked import PEACE, Attacked, attacks_on
from medfl.report.cell_state import CellState
from medfl.report.statistics import Summary, summarise
from medfl.results.column import Column
from medfl.results.columns import EVERYONE, OWN, judged
from medfl.results.paths import KEYS
from medfl.results.record import value
from medfl.results.runs import MISSING, Run, columns_of_runs, role_of
from medfl.results.schema import DIVERGED

if TYPE_CHECKING:
    import pandas as pd


_Outcome = tuple[int, int, int, int]
"""Of how many seeds a cell has runs, has diverged ones, lacks some; and updates left out."""


class GridRuns:
    """The runs of a grid by dataset, partition and arm; each list has the grid's order."""

    def __init__(self, runs: Sequence[Run], crossed: Mapping[str, CrossedArm] | None = None):
        """Gather the runs.

        Args:
            runs: of the grid.
            crossed: the arms that were crossed with attacks and rules, those that are not defined
                for the grid's clients too: name → what it is made of.
        """
        self.runs = list(runs)
        self.crossed = dict(crossed or {})
        self.columns = columns_of_runs(self.runs)
        self.datasets, self.partitions, self.arms, self.seeds = (
            list(dict.fromkeys(getattr(run, key) for run in runs)) for key in KEYS
        )
        self._partitions: dict[str, list[str]] = {
            dataset: list(dict.fromkeys(run.partition for run in runs if run.dataset == dataset))
            for dataset in self.datasets
        }
        self._numbers: dict[str, dict[Any, dict[int, float]]] = {}  # by metric
        self._recorded: dict[tuple[str, str], list[Run]] = {}  # by dataset and arm
        self._outcomes: dict[tuple[str, str | None, str], _Outcome] = {}  # by cell
        self._states: dict[tuple[str, str | None, str, str], CellState] = {}  # by cell and metric
        self._at: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
        self._chances: dict[tuple[str, str | None, str], Summary | None] = {}
        self._attacks = attacks_on(self.runs, self.crossed)
        for run in runs:
            self._at[run.dataset, run.partition, run.arm].append(run)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per run: the columns of ``Frames.runs``."""
        from medfl.results.frames import Frames  # tables are made without pandas

        return Frames(self.runs).runs

    def partitions_of(self, dataset: str) -> list[str]:
        """The partitions of one dataset; ``partitions`` are those of all."""
        return self._partitions[dataset]

    def at(self, dataset: str, partition: str, arm: str) -> list[Run]:
        """The runs of one dataset, partition and arm: one per seed."""
        return self._at.get((dataset, partition, arm), [])

    def of(self, dataset: str, arm: str) -> list[Run]:
        """The runs of an arm on a dataset that have a record."""
        if (dataset, arm) not in self._recorded:
            parts = self.partitions_of(dataset)
            runs = (run for part in parts for run in self.at(dataset, part, arm))
            self._recorded[dataset, arm] = [run for run in runs if run.record]
        return self._recorded[dataset, arm]

    def any_finished(self, dataset: str, partition: str) -> bool:
        """Whether any run of this dataset and partition has finished."""
        runs = (run for arm in self.arms for run in self.at(dataset, partition, arm))
        return any(run.completed for run in runs)

    def role(self, dataset: str, arm: str) -> str:
        """The group in which an arm competes; without any record its name decides."""
        runs = self.of(dataset, arm) or [run for run in self.runs if run.arm == arm and run.record]
        return runs[0].role if runs else role_of(arm, None)

    def title(self, dataset: str) -> str:
        """The dataset's title in the records of its runs; it says if only a part was there."""
        runs = (run for run in self.runs if run.record and run.dataset == dataset)
        titles = (run.record.dataset_title for run in runs if run.record)
        return next(filter(None, titles), dataset)

    def known(self, metric: Column) -> bool:
        """Whether any finished run has a value of the metric."""
        return bool(self._by_seed(metric))

    def values(self, dataset: str, partition: str, arm: str, metric: Column) -> dict[int, float]:
        """Seed → value of the finished runs."""
        return self._by_seed(metric).get((dataset, partition, arm), {})

    def _by_seed(self, metric: Column) -> dict[Any, dict[int, float]]:
        """Dataset, partition and arm → seed → value of the finished runs."""
        if metric.name not in self._numbers:
            self._numbers[metric.name] = self._gather(metric)
        return self._numbers[metric.name]

    def _gather(self, metric: Column) -> dict[Any, dict[int, float]]:
        found: dict[Any, dict[int, float]] = {}
        for run in self.runs:
            if run.record and run.completed and (number := value(run.record, metric)) is not None:
                cell = (run.dataset, run.partition, run.arm)
                found.setdefault(cell, {})[run.seed] = number
        return found

    def mean_values(self, dataset: str, arm: str, metric: Column) -> dict[int, float]:
        """Seed → mean over the partitions, for seeds that have a value in every partition."""
        by_partition = [
            self.values(dataset, part, arm, metric) for part in self.partitions_of(dataset)
        ]
        common = [seed for seed in by_partition[0] if all(seed in found for found in by_partition)]
        return {
            seed: math.fsum(found[seed] for found in by_partition) / len(by_partition)
            for seed in common
        }

    def state(self, dataset: str, partition: str | None, arm: str, metric: Column) -> CellState:
        """The content of a table's cell; ``partition`` None means the mean over all partitions."""
        key = (dataset, partition, arm, metric.name)
        if key not in self._states:
            self._states[key] = self._state(dataset, partition, arm, metric)
        return self._states[key]

    def _state(self, dataset: str, partition: str | None, arm: str, metric: Column) -> CellState:
        if partition is None:
            found = self.mean_values(dataset, arm, metric)
        else:
            found = self.values(dataset, partition, arm, metric)
        if (dataset, partition, arm) not in self._outcomes:
            self._outcomes[dataset, partition, arm] = self._outcome(dataset, partition, arm)
        seeds, diverged, missing, refused = self._outcomes[dataset, partition, arm]
        if partition is None and not found and not diverged and missing:
            missing = seeds
        summary = summarise(list(found.values())) if found else None
        return CellState(summary, seeds, diverged, missing, refused)

    def _outcome(self, dataset: str, partition: str | None, arm: str) -> _Outcome:
        parts = self.partitions_of(dataset) if partition is None else [partition]
        runs = [run for part in parts for run in self.at(dataset, part, arm)]
        return (
            len({run.seed for run in runs}),
            len({run.seed for run in runs if run.status == DIVERGED}),
            len({run.seed for run in runs if run.status == MISSING}),
            sum(run.record.refused_updates for run in runs if run.record and run.completed),
        )

    def primary(self, dataset: str, question: str = OWN) -> Column:
        """The primary metric of a dataset, as the answer to a question."""
        return judged(self._primaries.get(dataset, "balanced_accuracy"), question)

    @cached_property
    def _primaries(self) -> dict[str, str]:
        """Dataset → what the first of its records says that says it."""
        found: dict[str, str] = {}
        for run in self.runs:
            if run.record and run.record.primary:
                found.setdefault(run.dataset, run.record.primary)
        return found

    def questions(self, dataset: str) -> tuple[str, ...]:
        """``EVERYONE`` and ``OWN``; the latter alone where all clients use one model."""
        runs = (run.record for arm in self.arms for run in self.of(dataset, arm))
        apart = any(record.evaluated not in (None, "global") for record in runs if record)
        return (EVERYONE, OWN) if apart else (OWN,)

    def marked(self, dataset: str, arm: str, question: str) -> bool:
        """Whether an arm answers a question by each client's own model."""
        records = [run.record for run in self.of(dataset, arm) if run.record]
        if question == EVERYONE:
            return any(record.everyone_by == "clients" for record in records)
        return any(record.evaluated in ("personal", "local") for record in records)

    def chance(self, dataset: str, partition: str | None, metric: Column) -> Summary | None:
        """A test metric of answers by the shares of classes alone, over the seeds' splits.

        Where all clients use one model, these are the shares among all training samples.
        """
        key = (dataset, partition, metric.name)
        if key not in self._chances:
            self._chances[key] = self._chance(*key[:2], metric)
        return self._chances[key]

    def _chance(self, dataset: str, partition: str | None, metric: Column) -> Summary | None:
        if not metric.metric:
            return None
        question = metric.question if len(self.questions(dataset)) > 1 else EVERYONE
        parts = self.partitions_of(dataset) if partition is None else [partition]
        by_seed: dict[int, dict[str, float]] = {}
        for part, arm in product(parts, self.arms):
            for run in self.at(dataset, part, arm):
                answer = getattr(run.record and run.record.without_images, question, None)
                value = getattr(answer, metric.metric, None)
                if value is not None:
                    by_seed.setdefault(run.seed, {})[run.partition] = value
        means = [math.fsum(v.values()) / len(v) for v in by_seed.values() if len(v) == len(parts)]
        return summarise(means) if means else None

    def not_above_chance(self, dataset: str, partition: str | None, question: str) -> list[str]:
        """The arms whose mean is no more than a deviation over seeds above that of no image."""
        metric = self.primary(dataset, question)
        chance = self.chance(dataset, partition, metric)
        states = {arm: self.state(dataset, partition, arm, metric).summary for arm in self.arms}
        return [
            arm
            for arm, found in states.items()
            if chance and found and found.mean - (found.sd or 0.0) <= chance.mean
        ]

    def attacked(self, arm: str) -> Attacked:
        """Who attacks an arm; ``PEACE`` where nobody does."""
        return self._attacks.get(arm, PEACE)

    @cached_property
    def attacks(self) -> list[Attacked]:
        """What attackers do in this grid, in the order of its arms; empty where nobody attacks."""
        return [one for one in dict.fromkeys(map(self.attacked, self.arms)) if one != PEACE]

    def under(self, attacked: Attacked) -> list[str]:
        """The arms that meet this attack; with ``PEACE`` those that nobody attacks."""
        return [arm for arm in self.arms if self.attacked(arm) == attacked]

    @cached_property
    def refused(self) -> list[Run]:
        """The runs in which an update was not finite and was left out, whatever came of them."""
        return [run for run in self.trained if run.record and run.record.refused]

    @cached_property
    def trained(self) -> list[Run]:
        """The runs as they lie: one that partitions share is one run."""
        return list({run.folder: run.trained for run in self.runs}.values())

    def having(self, status: str) -> list[Run]:
        """The runs with a status, in the grid's order."""
        return [run for run in self.trained if run.status == status]

    def label_distance(self, dataset: str, partition: str) -> float | None:
        """Mean Jensen–Shannon distance between the clients' labels, over the seeds' splits."""
        by_seed = {}
        for run in self.runs:
            if (run.dataset, run.partition) == (dataset, partition) and run.record:
                measured = run.record.heterogeneity.get("label_distance") or {}
                if measured.get("pairwise_mean") is not None:
                    by_seed[run.seed] = float(measured["pairwise_mean"])
        return math.fsum(by_seed.values()) / len(by_seed) if by_seed else None
