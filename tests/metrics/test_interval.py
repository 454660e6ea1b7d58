"""The interval of an accuracy over patients, against hand-worked values and by simulation."""

import numpy as np
import pytest

from medfl.metrics import Proportion, fairness
from medfl.metrics.interval import scores


def test_scores_have_the_accuracy_as_their_mean():
    p = np.array([[0.7, 0.3], [0.4, 0.6], [0.5, 0.5]])
    assert scores(p, np.array([0, 0, 0]), "multiclass").tolist() == [1, 0, 1]
    assert scores(p, np.array([[1, 0], [1, 0], [0, 0]]), "multilabel").tolist() == [1, 0, 0]


def test_one_image_a_patient_is_clopper_and_pearson():
    """All right of 10: (0.025)^(1/10). 8 of 10 is judged as 10 - 1 independent samples."""
    low, high = Proportion.of(np.ones(10), np.arange(10)).interval()
    assert (low, high) == (pytest.approx(0.025**0.1), 1)
    low, high = Proportion.of(np.zeros(10), np.arange(10)).interval()
    assert (low, high) == (0, pytest.approx(1 - 0.025**0.1))
    share = Proportion.of([1] * 8 + [0] * 2, np.arange(10))
    assert (share.value, share.n, share.patients) == (0.8, 10, 10)
    assert share.effective == pytest.approx(9)
    low, high = share.interval()
    assert binomial_tail(9, 7.2, low) == pytest.approx(0.025, abs=1e-5)
    assert binomial_tail(9, 8.2, high) == pytest.approx(0.975, abs=1e-5)


def binomial_tail(n: float, hits: float, p: float) -> float:
    """P(at least ``hits`` of ``n``), also between whole numbers: the integral of a beta density."""
    x = (np.arange(200_000) + 0.5) / 200_000
    density = x ** (hits - 1) * (1 - x) ** (n - hits)
    return float(density[x < p].sum() / density.sum())


def test_patients_whose_images_are_alike_count_once():
    """Eight patients of five images each, all five right or all five wrong: as 8 - 1 samples."""
    right = np.repeat([1, 1, 1, 1, 1, 1, 0, 0], 5)
    patients = np.repeat(np.arange(8), 5)
    clustered = Proportion.of(right, patients)
    # Patients lie apart by 5 × .25 and 5 × .75: 8/7 × (6 × 1.25² + 2 × 3.75²) / 40² = .0267857
    assert clustered.effective == pytest.approx(0.75 * 0.25 / 0.0267857, rel=1e-5)
    assert clustered.effective == pytest.approx(7)
    alone = Proportion.of(right, np.arange(40))
    assert clustered.value == alone.value
    low, high = clustered.interval()
    narrow, less = alone.interval()
    assert low < narrow < 0.75 < less < high


def test_without_a_difference_between_patients_each_of_them_counts_once():
    low, high = Proportion.of(np.ones(30), np.repeat(np.arange(6), 5)).interval()
    assert (low, high) == (pytest.approx(0.025 ** (1 / 6)), 1)


def test_one_patient_gives_no_interval():
    share = Proportion.of([1, 0, 1], [4, 4, 4])
    assert (share.value, share.patients) == (pytest.approx(2 / 3), 1)
    assert share.interval() == (None, None)
    assert Proportion.of([], []) == Proportion(None, 0, 0)
    assert Proportion.of([], []).interval() == (None, None)


def test_two_patients_say_next_to_nothing():
    low, high = Proportion.of([1] * 9 + [1] * 7 + [0] * 2, [0] * 9 + [1] * 9).interval()
    assert low < 0.05
    assert high > 0.95


def drawn(random, patients, accuracy, alike):
    """Images right or wrong of patients with accuracies of their own; 1 to 6 images each."""
    a, b = (share * (1 - alike) / alike for share in (accuracy, 1 - accuracy))
    each, images = random.beta(a, b, patients), random.integers(1, 7, patients)
    of = np.repeat(np.arange(patients), images)
    return Proportion.of(random.random(len(of)) < each[of], of)


@pytest.mark.slow
@pytest.mark.parametrize("patients", [3, 8, 20, 60])
@pytest.mark.parametrize("accuracy", [0.5, 0.85])
@pytest.mark.parametrize("alike", [0.05, 0.4])
def test_the_interval_holds_the_truth(patients, accuracy, alike):
    """In 1000 draws a true coverage of .93 falls below .91 once in a hundred times."""
    random = np.random.default_rng(patients)
    held = 0
    for _ in range(1000):
        low, high = drawn(random, patients, accuracy, alike).interval()
        held += low <= accuracy <= high
    assert held >= 910


@pytest.mark.slow
def test_the_worst_of_equal_clients_is_too_low_but_its_interval_holds_the_truth():
    random = np.random.default_rng(0)
    worst, held = [], 0
    for _ in range(300):
        clients = {str(k): drawn(random, 20, 0.85, 0.2) for k in range(10)}
        result = fairness(clients, 10, 2)
        worst.append(result["worst"])
        held += result["worst_low"] <= 0.85 <= result["worst_high"]
    assert np.mean(worst) < 0.78, "the minimum over clients is below every client's true value"
    assert held >= 280
