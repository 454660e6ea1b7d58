"""Metrics without each patient: the same as measuring the other samples, one patient at a time."""

from __future__ import annotations

import numpy as np
import pytest

from medfl.metrics import medical
from medfl.metrics.jackknife import METRICS, without_each
from medfl.metrics.primary import class_shares
from medfl.results.columns import COLUMNS


def samples(task, patients=15, classes=4, seed=0):
    """Predictions with ties, of patients with one to five samples each, in no order."""
    random = np.random.default_rng(seed)
    whose = np.repeat(np.arange(patients), random.integers(1, 6, patients))
    random.shuffle(whose)
    n = len(whose)
    if task == "multiclass":
        labels = random.integers(classes, size=n)
        p = random.dirichlet(np.ones(classes), n) + 0.4 * np.eye(classes)[labels]
        p = np.round(p, 1) + 0.01
        return p / p.sum(axis=1, keepdims=True), labels, whose
    labels = random.integers(2, size=(n, classes))
    p = np.clip(np.round(random.random((n, classes)) * 0.8 + 0.2 * labels, 1), 0, 1)
    return p, labels, whose


def one_by_one(p, y, whose, classes, task):
    """Every metric, measured by scikit-learn on what is left without each patient."""
    names = [f"class {k}" for k in range(classes)]
    found = []
    for patient in range(whose.max() + 1):
        rest = whose != patient
        found.append(medical.evaluate(p[rest], y[rest], names, task, brief=True))
    return {
        name: np.array([np.nan if one[name] is None else one[name] for one in found])
        for name in METRICS
    }


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("seed", range(3))
def test_leaving_a_patient_out_is_measuring_the_others(task, seed):
    p, y, whose = samples(task, seed=seed)
    expected = one_by_one(p, y, whose, 4, task)
    found = without_each(p, y, whose, 4, task)
    assert list(found) == list(METRICS)
    for name in METRICS:
        assert np.ptp(expected[name]) > 1e-3, f"{name}: the patients of this test do not differ"
        np.testing.assert_allclose(found[name], expected[name], atol=1e-12, err_msg=name)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_a_class_that_one_patient_alone_has_drops_out_with_it(task):
    p, y, whose = samples(task)
    if task == "multiclass":
        y = np.where(whose == 3, 3, y % 3)
    else:
        y[:, 3] = whose == 3
    expected = one_by_one(p, y, whose, 4, task)
    for name, values in without_each(p, y, whose, 4, task).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-12, err_msg=name)


def test_what_cannot_be_measured_without_a_patient_is_nan():
    labels, whose = np.array([0, 0, 1]), np.array([0, 1, 2])
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    found = without_each(p, labels, whose, 2, "multiclass")
    # Without the third one class is left, and no area; without the first both are: 1 of 2 right.
    assert np.isnan(found["auc_macro"]).tolist() == [False, False, True]
    assert found["accuracy"] == pytest.approx([0.5, 1.0, 0.5])
    assert found["balanced_accuracy"] == pytest.approx([0.5, 1.0, 0.5])


def test_areas_by_hand():
    """Positives .8 (patient 0) and .4 (1), negatives .6 (0), .4 (2), .1 (1)."""
    scores = np.array([0.8, 0.4, 0.6, 0.4, 0.1])
    y, whose = np.array([1, 1, 0, 0, 0]), np.array([0, 1, 0, 2, 1])
    p = np.stack([1 - scores, scores], axis=1)
    found = without_each(p, y, whose, 2, "multiclass")["auc_macro"]
    # Without 0: .4 against .4 and .1: (½ + 1) / 2. Without 1: .8 above both. Without 2: .8 above
    # both, .4 above one of two: 3 / 4. Both classes have the same area.
    assert found == pytest.approx([0.75, 1.0, 0.75])


def test_every_metric_that_may_be_primary_is_there():
    assert set(METRICS) == {column.metric for column in COLUMNS if column.metric}


def test_the_same_answer_for_all_has_no_area_to_lose():
    y, whose = np.array([0, 1, 0, 1]), np.array([0, 1, 2, 3])
    p = np.tile(class_shares(y, 2, "multiclass"), (4, 1))
    assert without_each(p, y, whose, 2, "multiclass")["auc_macro"] == pytest.approx([0.5] * 4)
