"""What is asked of results again and again is found once, for each of them apart."""

from __future__ import annotations

import gc
import weakref

from medfl.report.remembered import remembered


class Results:
    """Stands for ``GridResults``."""


def test_it_is_found_once_for_the_same_results_and_names():
    asked = []

    @remembered
    def notes(results, dataset, arm="any"):
        """Notes."""
        asked.append((results, dataset, arm))
        return [dataset]

    one, other = Results(), Results()
    assert notes(one, "toy") is notes(one, "toy")
    assert notes(other, "toy") == ["toy"]
    assert notes(one, "mri") == ["mri"]
    notes(one, "toy", "fedavg")
    assert asked == [(one, "toy", "any"), (other, "toy", "any"), (one, "mri", "any"),
                     (one, "toy", "fedavg")]  # fmt: skip
    assert notes.__doc__ == "Notes."


def test_results_are_let_go():
    @remembered
    def notes(results, dataset):
        return [dataset]

    one = Results()
    gone = weakref.ref(one)
    notes(one, "toy")
    del one
    gc.collect()
    assert gone() is None
