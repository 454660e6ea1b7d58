"""How often the report's statistics claim a difference where there is none, in made-up grids.

``python -m benchmarks.false_claims`` writes the tables of docs/statistics.md (some minutes);
``--grids 200`` is quicker. In each grid all arms are equally good on the population, and each gets
other patients right. Patients are new in each grid: what one patient's picture is to all arms, to
one arm, and to one run, are normal numbers, and a run is right where their sum is small enough for
its share of right answers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from medfl.metrics.jackknife import METRICS, left_out
from medfl.report.statistics.multi_case import Variance, own_test_sets, shared_test_set
from medfl.report.statistics.pairs import too_few

Floats = NDArray[np.float64]
ALLOWED = 0.05
AT_ONCE = 100  # grids in memory


@dataclass(frozen=True)
class Setting:
    """Made-up grids of one kind.

    Attributes:
        arms, seeds: K and S.
        own_folds: whether each seed draws its test patients; else all share them.
        wild: by how much the first arm's spread over seeds exceeds the others'.
        patients: in each test set, one sample each.
        accuracy: of every arm on the population.
        by_arm: how much a patient is to one arm what he is not to others.
        by_run: the same of one run, beside other seeds of its arm.
        spread: the deviation of runs, where 0.1 is about two points of accuracy.
        better: by how many points the first arm is better, to measure power.
        train_per_test: training samples for each test sample, where folds are own.
    """

    arms: int
    seeds: int
    own_folds: bool = False
    wild: float = 1.0
    patients: int = 250
    accuracy: float = 0.8
    by_arm: float = 0.7
    by_run: float = 0.5
    spread: float = 0.08
    better: float = 0.0
    train_per_test: int = 4


def margins(setting: Setting, grids: int, random: np.random.Generator) -> Floats:
    """(G, K, S, P): how surely a run is right on each patient; it is where this is positive."""
    shape = (grids, setting.arms, setting.seeds, setting.patients)
    spread = np.full((setting.arms, 1, 1), setting.spread)
    spread[0] *= setting.wild
    hard, alike = _patients(setting, grids, random)
    noise = random.standard_normal((*shape[:3], 1)) * spread
    noise = noise + random.standard_normal(shape) * setting.by_run
    total = np.sqrt(1 + setting.by_arm**2 + setting.by_run**2 + spread**2)
    share = np.full((setting.arms, 1, 1), setting.accuracy)
    share[0] += setting.better / 100
    found: Floats = ndtri(share) * total - hard - setting.by_arm * alike - noise
    return found


def _patients(setting: Setting, grids: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """How hard the test patients are for all arms, (G, 1, S or 1, P), and for each, (G, K, …)."""
    if not setting.own_folds:
        hard = random.standard_normal((grids, 1, 1, setting.patients))
        return hard, random.standard_normal((grids, setting.arms, 1, setting.patients))
    pool = setting.patients * (1 + setting.train_per_test)
    both = random.standard_normal((grids, 1 + setting.arms, pool))
    order = random.random((grids, setting.seeds, pool)).argpartition(setting.patients, axis=-1)
    drawn = order[..., : setting.patients].reshape(grids, 1, -1)
    tests = np.take_along_axis(both, drawn, axis=-1)
    tests = tests.reshape(grids, 1 + setting.arms, setting.seeds, setting.patients)
    return tests[:, :1], tests[:, 1:]


def claims(values: Floats, variance: Variance) -> NDArray[np.bool_]:
    """(G, K, K): of each grid, whether Holm's first step tells two arms apart; no other pair is
    told apart where it finds none.
    """
    arms = values.shape[-2]
    means = values.mean(axis=-1)
    apart = np.abs(means[..., :, None] - means[..., None, :])
    wide = variance.half_width(ALLOWED / (arms * (arms - 1) / 2))
    told: NDArray[np.bool_] = apart > np.where(variance.total > 0, wide, np.inf)
    return told


def compared(setting: Setting, grids: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """The claims by accuracy, some grids at a time."""
    if too_few(setting.arms, setting.seeds):
        yield np.zeros((grids, setting.arms, setting.arms), bool)
        return
    random = np.random.default_rng(seed)
    for start in range(0, grids, AT_ONCE):
        right = (margins(setting, min(AT_ONCE, grids - start), random) > 0).astype(float)
        values = right.mean(axis=-1)
        if setting.own_folds:
            yield claims(values, own_test_sets(values, 1 / setting.train_per_test))
        else:
            yield claims(values, shared_test_set(values, -right / (setting.patients - 1)))


def false_claims(setting: Setting, grids: int, seed: int = 0) -> float:
    """The share of grids with any claim."""
    return float(
        np.mean(np.concatenate([one.any(axis=(1, 2)) for one in compared(setting, grids, seed)]))
    )


def power(setting: Setting, grids: int, seed: int = 0) -> float:
    """The share of grids in which the first arm is told from the second."""
    return float(np.mean(np.concatenate([one[:, 0, 1] for one in compared(setting, grids, seed)])))


def false_claims_by(metric: str, setting: Setting, grids: int, seed: int = 0) -> float:
    """The share of grids with any claim by a metric of two classes, one patient in four positive.

    The metrics without each patient are those that a run keeps.
    """
    random, found = np.random.default_rng(seed), 0
    names = np.array([f"{k:05}" for k in range(setting.patients)])
    for _ in range(grids):
        margin = margins(setting, 1, random)[0]
        labels = (random.random(setting.patients) < 0.25).astype(int)
        sure = ndtr(margin)
        runs = margin.shape[:2]
        values, apart = np.empty(runs), np.empty((*runs, setting.patients))
        for place in np.ndindex(runs):
            p = np.where(labels == 1, sure[place], 1 - sure[place])
            said = np.stack([1 - p, p], axis=1)
            kept, values[place] = _kept(said, labels, names, metric)
            apart[place] = kept
        found += claims(values[None], shared_test_set(values[None], apart[None])).any()
    return found / grids


def _kept(
    said: Floats, labels: NDArray[np.int64], names: NDArray[np.str_], metric: str
) -> tuple[Floats, float]:
    from medfl.metrics.quick import evaluate_quickly

    value = evaluate_quickly(said, labels, ("no", "yes"))[metric]
    kept = left_out(labels, names, said, [], "multiclass")["left_out_own"]
    return kept[METRICS.index(metric)].astype(float), float(value)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grids", type=int, default=2000)
    parser.add_argument("--only", choices=("accuracy", "metrics", "power"))
    options = parser.parse_args()
    if options.only in (None, "accuracy"):
        table(options.grids)
    if options.only in (None, "metrics"):
        for metric in ("balanced_accuracy", "auc_macro", "f1_macro", "kappa"):
            share = false_claims_by(metric, Setting(4, 4, spread=0.08), options.grids)
            print(f"| {metric} | {100 * share:.1f} |", flush=True)
    if options.only in (None, "power"):
        powers(options.grids)


def table(grids: int) -> None:
    """False claims by accuracy, per cent of grids."""
    seeds = (3, 4, 6, 10)
    print(f"| folds | spread | arms | {' | '.join(f'{s} seeds' for s in seeds)} |")
    for own in (False, True):
        for wild in (1.0, 5.0):
            for arms in (2, 3, 4, 7, 12):
                started = time.monotonic()
                cells = []
                for number in seeds:
                    setting = Setting(arms, number, own, wild)
                    few = bool(too_few(arms, number))
                    share = 0.0 if few else false_claims(setting, grids, seed=arms * number)
                    cells.append("–" if few else f"{100 * share:.1f}")
                folds = "own" if own else "shared"
                kind = "one arm 5 ×" if wild > 1 else "alike"
                print(
                    f"| {folds} | {kind} | {arms} | {' | '.join(cells)} |"
                    f" {time.monotonic() - started:.0f} s",
                    flush=True,
                )


def powers(grids: int) -> None:
    """How often a better arm is told from a given other one, per cent of grids."""
    for arms in (2, 7):
        for points in (2.0, 5.0):
            for patients in (250, 1000):
                base = Setting(arms, 3, patients=patients, better=points)
                cells = []
                for number in (3, 4, 6, 10):
                    setting = replace(base, seeds=number)
                    few = bool(too_few(arms, number))
                    cells.append("–" if few else f"{100 * power(setting, grids):.0f}")
                print(f"| {arms} | {points:g} | {patients} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
