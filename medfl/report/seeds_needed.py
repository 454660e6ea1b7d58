"""How many seeds it would take to tell two arms apart, where the report cannot."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from medfl.report.attacked import Family
from medfl.report.findings import Finding
from medfl.report.grid_results import GridResults
from medfl.report.statistics.planning import MOST_SEEDS, POWER, Pilot, pilot

# A difference that is named before anything is seen: the power for the observed one would say
# nothing that its p-value does not say (Hoenig and Heisey, The American Statistician 55, 2001).
DIFFERENCE = 0.05


def seeds_needed(results: GridResults, found: Finding) -> str:
    """What would tell two arms apart, in a sentence; empty where the runs know no variance."""
    if not found.partition:
        return ""
    family = Family(found.dataset, found.partition, found.question, found.attacked)
    measured = results.measured(family)
    k, seeds = len(measured.arms), len(measured.seeds)
    if (
        k < 2
        or seeds < 2
        or measured.reason
        or any(np.isnan(one).any() for one in measured.without)
    ):
        return ""
    known = pilot(measured.values, measured.without, measured.shared, measured.test_per_train)
    number = _seeds(known, k)
    by = f"{100 * DIFFERENCE:g} points" if found.metric.unit == "%" else f"{DIFFERENCE:g}"
    what = f"a difference of {by} between two arms"
    given = f"{100 * POWER:g} % power, {known.patients:.0f} test patients"
    if number is None:
        most = f"No number of seeds up to {MOST_SEEDS}"
        return f"{most} would find {what} ({given}): `medfl plan` says how many patients would."
    if number <= seeds:
        return f"These seeds find {what} ({given})."
    return f"{number} seeds would find {what} ({given})."


@lru_cache(maxsize=256)  # the page and the last words of a grid ask for the same
def _seeds(known: Pilot, arms: int) -> int | None:
    return known.seeds_for(DIFFERENCE, arms)
