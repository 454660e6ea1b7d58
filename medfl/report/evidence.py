"""Compares the arms of a grid by their runs: their numbers, and what these owe to patients."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medfl.errors import MedflError
from medfl.metrics.jackknife import METRICS, left_out
from medfl.report.names import join_words, plural
from medfl.report.statistics.pairs import Comparison, compare, too_few
from medfl.results import paths
from medfl.results.column import Column
from medfl.results.columns import EVERYONE
from medfl.results.intact import check_file
from medfl.results.predictions import OF_ALL, OWN, read_left_out, read_predictions
from medfl.results.runs import Run
from medfl.results.schema import DIVERGED

Arrays = dict[str, NDArray[Any]]


class Evidence:
    """Compares arms; the predictions of a run are read once for all questions and partitions."""

    def __init__(self) -> None:
        self._read: dict[Path, Arrays | None] = {}

    def compare(
        self, arms: Mapping[str, Sequence[Run]], metric: Column, ranked: Collection[str] = ()
    ) -> Comparison:
        """What may be claimed of arms by a metric of test samples.

        Args:
            arms: arm → its runs in one dataset and partition, with a run for each seed.
            metric: the metric, as the answer to one of the two questions.
            ranked: the arms that decide which seeds are compared; none: all.

        Raises:
            MedflError: predictions are damaged, or two arms were judged on other test patients with
                the same seed.
        """
        values = {
            arm: {run.seed: run.row([metric]).get(metric.name) for run in runs if run.completed}
            for arm, runs in arms.items()
        }
        seeds = _common({arm: values[arm] for arm in ranked if arm in values} or values)
        chosen = [arm for arm, found in values.items() if _finished(found) >= set(seeds)]
        absent = {arm: _lacks(arms[arm], values[arm], seeds) for arm in arms if arm not in chosen}
        table = np.array([[values[arm][seed] for seed in seeds] for arm in chosen], dtype=float)
        order = np.argsort(-table.mean(axis=1), kind="stable") if seeds else np.arange(0)
        names = tuple(chosen[k] for k in order)
        words = too_few(len(names), len(seeds))
        if words:
            return Comparison(names, seeds, reason=words, absent=absent)
        runs = [[_of(arms[arm], seed) for seed in seeds] for arm in names]
        without = [_without(one) for row in runs for one in row if not self._known(one)]
        if without:
            reason = f"predictions are missing, of {without[0]}"
            reason += f" and {plural(len(without) - 1, 'other run')}" if len(without) > 1 else ""
            return Comparison(names, seeds, reason=reason, absent=absent)
        self._check_patients(runs)
        made = self._compare(names, seeds, runs, table[order], metric)
        return Comparison(**{**vars(made), "absent": absent})

    def _compare(
        self,
        names: tuple[str, ...],
        seeds: tuple[int, ...],
        runs: Sequence[Sequence[Run]],
        table: NDArray[Any],
        metric: Column,
    ) -> Comparison:
        first = [self._kept(run)["patients"] for run in runs[0]]
        lowest = -1.0 if metric.metric == "kappa" else 0.0
        if not all(np.array_equal(first[0], other) for other in first[1:]):
            ratio = _test_per_train(run for row in runs for run in row)
            pairs, ends = compare(names, table, test_per_train=ratio, lowest=lowest)
            return Comparison(names, seeds, "own", None, pairs, ends)
        patients = len(first[0])
        apart = np.array([[self._apart(run, metric) for run in row] for row in runs], np.float64)
        if np.isnan(apart).any():
            reason = "without one of the test patients the metric is not defined"
            return Comparison(names, seeds, "shared", patients, reason=reason)
        pairs, ends = compare(names, table, left_out=apart, lowest=lowest)
        return Comparison(names, seeds, "shared", patients, pairs, ends)

    def _known(self, run: Run) -> bool:
        """Whether a run's predictions are there; they are read."""
        if run.folder not in self._read:
            path = run.folder / paths.PREDICTIONS
            self._read[run.folder] = _read(run) if path.exists() else None
        return self._read[run.folder] is not None

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


def _read(run: Run) -> Arrays:
    """The arrays of ``LEFT_OUT`` of a run; they are made where it is of before they were kept."""
    path = run.folder / paths.PREDICTIONS
    if run.record:
        check_file(run.folder, paths.PREDICTIONS, run.record)
    kept = read_left_out(path)
    if kept is not None:
        return kept
    arrays = read_predictions(path)
    last = (arrays["moment"] == "last") & (arrays["fold"] == "test")

    def answers(view: str, owner: int | None = None) -> NDArray[np.int64]:
        rows = last & (arrays["view"] == view)
        if owner is not None:
            rows &= arrays["owner"] == owner
        found = np.flatnonzero(rows)
        return found[np.argsort(arrays["sample"][found], kind="stable")]

    own = answers(OWN)
    owners = np.unique(arrays["owner"][last & (arrays["view"] == OF_ALL)]).tolist()
    said = arrays["probabilities"]
    return left_out(
        arrays["label"][own],
        arrays["group"][own],
        said[own],
        [said[answers(OF_ALL, owner)] for owner in owners],
        str(arrays["task"]),
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


def _without(run: Run) -> str:
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
