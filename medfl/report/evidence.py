"""Compares the arms of a grid by their runs: their numbers, and what these owe to patients."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medfl.errors import MedflError
from medfl.metrics.jackknife import METRICS
from medfl.report.left_out import Arrays, WithoutEach, left_out_of
from medfl.report.names import join_words, plural
from medfl.report.statistics.pairs import Comparison, compare_pairs, too_few
from medfl.results import paths
from medfl.results.column import Column
from medfl.results.columns import EVERYONE
from medfl.results.record import value
from medfl.results.runs import Run
from medfl.results.schema import DIVERGED


@dataclass(frozen=True)
class Measured:
    """The numbers of the arms of one dataset, partition and question, and what they owe to whom.

    Attributes:
        arms: K names, the highest mean first.
        seeds: the S seeds that each of them has.
        values: (K, S) the metric.
        without: for each seed (K, P) the metric without each of its test patients, but for a
            constant; empty where ``reason`` says why.
        shared: whether all seeds share their test patients.
        test_per_train: test samples for each training sample.
        reason: why patients are not known, in words.
        absent: arm → why it is not among them, in words.
    """

    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    values: NDArray[Any]
    without: tuple[NDArray[Any], ...] = ()
    shared: bool = False
    test_per_train: float = 1.0
    reason: str = ""
    absent: Mapping[str, str] = field(default_factory=dict)


class Evidence:
    """Compares arms; the predictions of a run are read once for all questions and partitions.

    Args:
        left_out: reads them, by one who may have done so before.
    """

    def __init__(self, left_out: WithoutEach | None = None) -> None:
        self._left_out = left_out
        self._read: dict[Path, Arrays | None] = {}

    def compare(
        self,
        arms: Mapping[str, Sequence[Run]],
        metric: Column,
        ranked: Collection[str] = (),
        *,
        between: Callable[[str, str], bool] | None = None,
    ) -> Comparison:
        """What may be claimed of arms by a metric of test samples.

        Args:
            arms: as in ``gather``.
            metric: as there.
            ranked: as there.
            between: of which two arms, whatever their order, a claim is made; None: of any two.

        Raises:
            MedflError: as ``gather``.
        """
        found = self.gather(arms, metric, ranked)
        about: dict[str, Any] = {"arms": found.arms, "seeds": found.seeds, "absent": found.absent}
        none = between and not any(between(*pair) for pair in combinations(found.arms, 2))
        reason = too_few(1 if none else len(found.arms), len(found.seeds)) or found.reason
        if reason:
            return Comparison(**about, reason=reason)
        lowest = -1.0 if metric.metric == "kappa" else 0.0
        if not found.shared:
            ratio = found.test_per_train
            pairs, ends = compare_pairs(
                found.arms, found.values, test_per_train=ratio, lowest=lowest, between=between
            )
            return Comparison(**about, folds="own", pairs=pairs, intervals=ends)
        apart = np.stack(found.without, axis=1)
        about |= {"folds": "shared", "patients": apart.shape[-1]}
        if np.isnan(apart).any():
            reason = "without one of the test patients the metric is not defined"
            return Comparison(**about, reason=reason)
        pairs, ends = compare_pairs(
            found.arms, found.values, left_out=apart, lowest=lowest, between=between
        )
        return Comparison(**about, pairs=pairs, intervals=ends)

    def gather(
        self, arms: Mapping[str, Sequence[Run]], metric: Column, ranked: Collection[str] = ()
    ) -> Measured:
        """The numbers of arms that have the same seeds.

        Args:
            arms: arm → its runs in one dataset and partition, with a run for each seed.
            metric: a metric of test samples, as the answer to one of the two questions.
            ranked: the arms that decide which seeds are compared; none: all.

        Raises:
            MedflError: predictions are damaged, or two arms were judged on other test patients with
                the same seed.
        """
        values = {
            arm: {
                run.seed: value(run.record, metric) for run in runs if run.record and run.completed
            }
            for arm, runs in arms.items()
        }
        seeds = _common({arm: values[arm] for arm in ranked if arm in values} or values)
        chosen = [arm for arm, found in values.items() if seeds and _finished(found) >= set(seeds)]
        absent = {arm: _lacks(arms[arm], values[arm], seeds) for arm in arms if arm not in chosen}
        table = np.array([[values[arm][seed] for seed in seeds] for arm in chosen], dtype=float)
        table = table.reshape(len(chosen), len(seeds))
        order = np.argsort(-table.sum(axis=1), kind="stable")
        names = tuple(chosen[k] for k in order)
        measured = Measured(names, seeds, table[order], absent=absent)
        rows = [[_of(arms[arm], seed) for seed in seeds] for arm in names]
        runs = [run for row in rows for run in row]
        lost = [_place(run) for run in runs if not self._known(run)]
        if lost or not runs:
            more = f" and {plural(len(lost) - 1, 'other run')}" if len(lost) > 1 else ""
            reason = f"predictions are missing, of {lost[0]}{more}" if lost else "no run finished"
            return replace(measured, reason=reason)
        self._check_patients(rows)
        first = [self._kept(run)["patients"] for run in rows[0]]
        return replace(
            measured,
            without=tuple(
                np.array([self._apart(row[k], metric) for row in rows], dtype=np.float64)
                for k in range(len(seeds))
            ),
            shared=all(np.array_equal(first[0], other) for other in first[1:]),
            test_per_train=_test_per_train(runs),
        )

    def _known(self, run: Run) -> bool:
        """Whether a run's predictions are there; they are read."""
        folder = run.folder
        if folder not in self._read:
            there = (folder / paths.PREDICTIONS).exists()
            read = self._left_out or partial(left_out_of, record=run.record)
            self._read[folder] = read(folder) if there else None
        return self._read[folder] is not None

    def _kept(self, run: Run) -> Arrays:
        found = self._read[run.folder]
        assert found is not None
        return found

    def _apart(self, run: Run, metric: Column) -> NDArray[Any]:
        """(P,) the metric without each patient, but for a constant."""
        kept, place = self._kept(run), METRICS.index(metric.metric)
        of_all = metric.question == EVERYONE and len(kept["left_out_everyone"]) > 0
        found: NDArray[Any] = kept["left_out_everyone" if of_all else "left_out_own"][place]
        return found

    def _check_patients(self, runs: Sequence[Sequence[Run]]) -> None:
        """Refuse runs of one seed that were judged on other patients than the first arm's."""
        for row in runs[1:]:
            for run, first in zip(row, runs[0], strict=True):
                if not np.array_equal(self._kept(run)["patients"], self._kept(first)["patients"]):
                    raise MedflError(
                        f"{run.folder / paths.PREDICTIONS} is of other test patients than "
                        f"{first.folder / paths.PREDICTIONS}: one of the two is of another store "
                        "or split, so they cannot be compared. Train that run again."
                    )


def _finished(values: Mapping[int, Any]) -> set[int]:
    return {seed for seed, value in values.items() if value is not None}


def _common(values: Mapping[str, Mapping[int, Any]]) -> tuple[int, ...]:
    """The seeds that are compared: of the arms with most of them, those that most arms have."""
    found = [tuple(sorted(_finished(one))) for one in values.values()]
    return max(found, key=lambda seeds: (len(seeds), found.count(seeds)), default=())


def _lacks(runs: Sequence[Run], values: Mapping[int, Any], seeds: Sequence[int]) -> str:
    """Why an arm is not compared: which seeds it lacks."""
    ended = {run.seed for run in runs if run.status == DIVERGED}
    lost = [seed for seed in seeds if seed not in _finished(values)]
    some = (
        ("diverged with", [seed for seed in lost if seed in ended]),
        ("has no result of", [seed for seed in lost if seed not in ended]),
    )
    return " and ".join(
        f"{words} seed{'s' if len(those) > 1 else ''} {join_words(list(map(str, those)))}"
        for words, those in some
        if those
    )


def _of(runs: Sequence[Run], seed: int) -> Run:
    return next(run for run in runs if run.seed == seed)


def _place(run: Run) -> str:
    return paths.RUN.format(**vars(run.trained))


def _test_per_train(runs: Iterable[Run]) -> float:
    """Test samples for each training sample: the most of any run.

    Sizes of clients that are not published count for nothing, which makes the ratio larger and the
    test more careful; where none is known, it is 1.
    """
    found = []
    for run in runs:
        clients = run.record.clients.values() if run.record else ()
        train = sum(client.n_train or 0 for client in clients)
        if run.test.n and train:
            found.append(run.test.n / train)
    return max(found, default=1.0)
