"""What attackers and rules make of a grid's arms: the crossed cells, and their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from medfl.report.attacked import COST, PEACE, Attacked, attacked_of
from medfl.report.cell_state import CellState
from medfl.report.clients import decides
from medfl.report.grid_results import GridResults
from medfl.report.statistics import Summary, summarise
from medfl.results.column import Column
from medfl.results.columns import OWN, WORST
from medfl.results.runs import Run

SUM = "sum"  # the rule that defends against nothing
NOT_DEFINED = "not defined here"


@dataclass(frozen=True)
class Difference:
    """By how much one arm's mean of the primary metric is above another's.

    Attributes:
        mean: over the seeds that both have.
        told: whether the tests tell the two apart.
        tested: whether there is a test.
    """

    mean: float
    told: bool
    tested: bool = True

    def words(self, metric: Column) -> str:
        """``−12.0*`` in points of a percentage, or in the metric's own unit; * where told apart."""
        text = metric.format(abs(self.mean))
        sign = "−" if self.mean < 0 else "+"
        return f"{sign if float(text) else '±'}{text}{'*' * self.told}"


class Crossing:
    """The arms that one arm became when it was crossed, on one dataset and partition.

    Attributes:
        base: the arm that was crossed.
        rules: in the grid's order.
        attacks: what the grid's attackers do, ``PEACE`` first where nobody attacks.
        metric: the primary metric of clients' own patients, of which tests are made.
    """

    def __init__(self, results: GridResults, dataset: str, partition: str, base: str) -> None:
        """Gather them from ``results.crossed``."""
        self.results, self.dataset, self.partition, self.base = results, dataset, partition, base
        made = {name: one for name, one in results.crossed.items() if one.base == base}
        self._names = {(one.rule, attacked_of(one)): name for name, one in made.items()}
        self.rules = list(dict.fromkeys(one.rule for one in made.values()))
        self.attacks = sorted(
            dict.fromkeys(map(attacked_of, made.values())), key=lambda one: one != PEACE
        )
        self.metric = results.primary(dataset)

    def arm(self, rule: str, attacked: Attacked) -> str | None:
        """The arm's name; None where the grid has none, or it is not defined here."""
        name = self._names.get((rule, attacked))
        return None if name is None or self.results.crossed[name].not_defined else name

    def why_not(self, rule: str, attacked: Attacked) -> str:
        """Why there is no such arm for the grid's clients; empty where there is one."""
        name = self._names.get((rule, attacked))
        return self.results.crossed[name].not_defined if name else ""

    def state(self, rule: str, attacked: Attacked, metric: Column) -> CellState | None:
        """The seeds of one arm; ``WORST`` is that of the honest clients. None without the arm."""
        arm = self.arm(rule, attacked)
        if arm is None:
            return None
        known = metric in self.results.columns  # no run has met a backdoor
        shown = metric if known else self.metric
        state = self.results.state(self.dataset, self.partition, arm, shown)
        if metric is WORST:
            return replace(state, summary=self._worst_honest(arm))
        return state if known else replace(state, summary=None)

    def share(self, rule: str, attacked: Attacked) -> float | None:
        """f/n, as the records say; 0 where nobody attacks, None where no run is there."""
        if attacked == PEACE:
            return 0.0
        runs = self._runs(self.arm(rule, attacked))
        found = (run.record.robustness for run in runs if run.record)
        return next((one.share for one in found if one), None)

    def difference(
        self, one: tuple[str, Attacked], other: tuple[str, Attacked]
    ) -> Difference | None:
        """By how much one (rule, attack) is above another; None where either has no number."""
        arms = self.arm(*one), self.arm(*other)
        if arms[0] is None or arms[1] is None or arms[0] == arms[1]:
            return None
        place = self.dataset, self.partition
        first, second = (self.results.values(*place, arm, self.metric) for arm in arms if arm)
        common = [first[seed] - second[seed] for seed in first if seed in second]
        if not common:
            return None
        attacks = {one[1], other[1]}
        family = attacks.pop() if len(attacks) == 1 else COST
        pair = self.results.comparison(*place, OWN, family).between(arms[0], arms[1])
        tested = pair is not None and pair.p is not None
        told = pair is not None and pair.separated
        return Difference(math.fsum(common) / len(common), told, tested)

    def _runs(self, arm: str | None) -> list[Run]:
        return self.results.at(self.dataset, self.partition, arm) if arm else []

    def _worst_honest(self, arm: str) -> Summary | None:
        """The worst of the clients that attack in no arm of a seed: the same ones in every arm."""
        worst = []
        for run in self._runs(arm):
            clients = run.record.clients if run.record and run.completed else {}
            values = [
                client.test.accuracy
                for name, client in clients.items()
                if client.test
                and client.test.accuracy is not None
                and decides(run, name)
                and name not in self._attackers.get(run.seed, ())
            ]
            worst += [min(values)] if values else []
        return summarise(worst) if worst else None

    @cached_property
    def _attackers(self) -> dict[int, set[str]]:
        """Seed → the clients that attack in any arm."""
        found: dict[int, set[str]] = {}
        for run in (run for arm in self.results.arms for run in self._runs(arm)):
            if run.record and run.record.robustness and run.record.robustness.attackers:
                clients = map(str, run.record.robustness.clients)
                found.setdefault(run.seed, set()).update(clients)
        return found


def crossings(results: GridResults, dataset: str, partition: str) -> Iterator[Crossing]:
    """A crossing for each arm that was crossed."""
    for base in dict.fromkeys(one.base for one in results.crossed.values()):
        yield Crossing(results, dataset, partition, base)
