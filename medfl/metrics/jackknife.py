"""Metrics without one patient, for each patient in turn: how much they owe to whom.

From it the report estimates what other patients would change (Quenouille's and Tukey's jackknife).
All metrics that can be primary have closed forms: the counts of a confusion matrix less those of a
patient; for the area under the ROC curve the placements of a patient's samples among the others',
as in DeLong et al. (Biometrics 44, 1988), here exact for several samples a patient.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from medfl.metrics.inputs import BRIEF, THRESHOLD, Array, checked

METRICS = tuple(name for name in BRIEF if name != "log_loss")
"""Those that may be the primary metric."""


def without_each(
    probabilities: ArrayLike, labels: ArrayLike, patients: ArrayLike, classes: int, task: str
) -> dict[str, Array]:
    """Each metric of ``METRICS`` on all samples but those of one patient.

    Args:
        probabilities: (N, K).
        labels: (N,) class indices, or (N, K) of 0 and 1 where ``task`` is multilabel.
        patients: (N,) whose sample each is: 0 to P - 1, each at least once.
        classes: K.
        task: ``multiclass`` or ``multilabel``.

    Returns:
        Metric → (P,); NaN where it is undefined without that patient.

    Raises:
        MedflError: as ``medical.evaluate``.
    """
    p, y = checked(probabilities, labels, classes, task)
    whose, numbers = np.asarray(patients), np.arange(classes)
    if task == "multiclass":
        truth, chosen = y[:, None] == numbers, p.argmax(axis=1)[:, None] == numbers
    else:
        truth, chosen = y.astype(bool), p >= THRESHOLD
    kept = _Tallies(truth, chosen, whose)
    found = kept.multiclass() if task == "multiclass" else kept.multilabel()
    areas = [_areas(p[:, k], truth[:, k], whose) for k in range(classes)]
    found["auc_macro"] = _mean(areas)
    return {name: found[name] for name in METRICS}


class _Tallies:
    """Counts of samples by class, (P, K), of all patients but one.

    Attributes:
        n: (P, 1) samples.
        positives: that have the class.
        said: that are said to.
        both: that have it and are said to.
    """

    def __init__(self, truth: Array, chosen: Array, whose: Array) -> None:
        self.n = self._without(np.ones((len(truth), 1)), whose)
        self.positives = self._without(truth, whose)
        self.said = self._without(chosen, whose)
        self.both = self._without(truth & chosen, whose)

    @staticmethod
    def _without(counted: Array, whose: Array) -> Array:
        # Of each column a sum by patient: `np.add.at` takes ten times as long.
        each = np.stack([np.bincount(whose, column) for column in counted.T], axis=1)
        less: Array = each.sum(axis=0) - each
        return less

    def multiclass(self) -> dict[str, Array]:
        """Accuracy, balanced accuracy, F1 and kappa of one class a sample."""
        n, right = self.n[:, 0], self.both.sum(axis=1)
        alike = (self.positives * self.said).sum(axis=1)
        return {
            "accuracy": _share(right, n),
            "balanced_accuracy": _mean(_share(self.both, self.positives).T),
            "f1_macro": self._f1(),
            "kappa": _kappa(n, n - right, alike),
        }

    def multilabel(self) -> dict[str, Array]:
        """The same where a sample may have several labels; kappa is the mean over labels."""
        n, negatives = self.n, self.n - self.positives
        wrong = self.positives + self.said - 2 * self.both
        right_negatives = negatives - (self.said - self.both)
        both = _share(self.both, self.positives) + _share(right_negatives, negatives)
        alike = self.positives * self.said + negatives * (n - self.said)
        kappa = _kappa(np.broadcast_to(n, wrong.shape), wrong, alike)
        told = (self.positives > 0) & (negatives > 0)
        return {
            "accuracy": 1 - _share(wrong.mean(axis=1), n[:, 0]),
            "balanced_accuracy": _mean(both.T / 2),
            "f1_macro": self._f1(),
            "kappa": _mean(np.where(told, kappa, np.nan).T),
        }

    def _f1(self) -> Array:
        f1 = _share(2 * self.both, self.positives + self.said)
        return _mean(np.where(self.positives > 0, f1, np.nan).T)


def _areas(scores: Array, positive: Array, whose: Array) -> Array:
    """The area under the ROC curve without each patient, (P,); NaN where a class is gone.

    Of all pairs of a positive and a negative sample, a patient takes away those of its positives,
    those of its negatives, and not twice those within itself.
    """
    count = int(whose.max()) + 1
    mine = np.bincount(whose[positive], minlength=count)
    theirs = np.bincount(whose[~positive], minlength=count)
    below, above = _placements(scores, positive)
    won = np.bincount(whose[positive], below, count)
    lost = np.bincount(whose[~positive], above, count)
    within: Array = np.zeros(count)
    mixed = ((mine > 0) & (theirs > 0))[whose]  # few patients have samples of both kinds
    if mixed.any():
        some, kinds = whose[mixed], positive[mixed]
        # Of each patient a range of its own, so that one sorted list serves all.
        ranks = np.unique(scores[mixed], return_inverse=True)[1] + some * (len(some) + 1)
        inside, _ = _placements(ranks, kinds)
        earlier = np.cumsum(theirs * (mine > 0)) - theirs * (mine > 0)
        within = np.bincount(some[kinds], inside - earlier[some[kinds]], count)
    pairs = (mine.sum() - mine) * (theirs.sum() - theirs)
    return _share(won.sum() - won - lost + within, pairs)


def _placements(scores: Array, positive: Array) -> tuple[Array, Array]:
    """For each positive sample the negatives below it, for each negative the positives above.

    Equal ones count half. Both come in the order of the samples.
    """
    order = np.argsort(scores)
    new = np.diff(scores[order], prepend=np.nan) != 0
    group = np.empty(len(scores), np.int64)
    group[order] = np.cumsum(new) - 1
    negatives, positives = (
        np.bincount(group[kind], minlength=int(new.sum())) for kind in (~positive, positive)
    )
    below = np.cumsum(negatives) - negatives / 2
    above = positives.sum() - np.cumsum(positives) + positives / 2
    return below[group[positive]], above[group[~positive]]


def _share(part: Any, whole: Any) -> Array:
    """``part / whole``; NaN for 0 / 0."""
    shares: Array = np.full(np.broadcast_shapes(np.shape(part), np.shape(whole)), np.nan)
    np.divide(part, whole, out=shares, where=np.asarray(whole) > 0)
    return shares


def _kappa(n: Array, wrong: Array, alike: Array) -> Array:
    """Cohen's kappa as ``quick`` has it: 1 - wrong / wrong by chance."""
    return 1 - _share(wrong, n - _share(alike, n))


def _mean(rows: Iterable[Array]) -> Array:
    """The mean of those rows (P,) that are not NaN, patient by patient; NaN where none is."""
    many = np.array(list(rows))
    defined = ~np.isnan(many)
    return _share(np.where(defined, many, 0.0).sum(axis=0), defined.sum(axis=0))


def left_out(
    labels: Array, groups: Array, own: Array, everyone: Sequence[Array], task: str
) -> dict[str, Array]:
    """What a run keeps of its test samples, so that a report can speak of other patients.

    Args:
        labels: (N,) or (N, K), as ``without_each`` has them.
        groups: (N,) the patient or lesion of each sample, by name.
        own: (N, K) the probabilities by the model that each sample's client would use.
        everyone: (N, K) of each model that is judged on everyone's samples, whose mean counts;
            empty where ``own`` answers that as well.
        task: ``multiclass`` or ``multilabel``.

    Returns:
        ``patients`` (P,), sorted; ``left_out_own`` and ``left_out_everyone``, each of (M, P) for
        the M metrics of ``METRICS``: the metric without that patient, minus its mean over patients,
        float32. The latter is of (0, P) where ``everyone`` is empty.
    """
    patients, whose = np.unique(groups, return_inverse=True)

    def deviations(models: Sequence[Array]) -> Array:
        found = [without_each(said, labels, whose, said.shape[1], task) for said in models]
        means = np.array([_mean([one[name] for one in found]) for name in METRICS])
        apart: Array = (means - means.mean(axis=1, keepdims=True)).astype(np.float32)
        return apart

    nothing = np.zeros((0, len(patients)), np.float32)
    return {
        "patients": patients,
        "left_out_own": deviations([own]),
        "left_out_everyone": deviations(everyone) if len(everyone) else nothing,
    }
