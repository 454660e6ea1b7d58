"""How far an accuracy may be off by luck, where several samples come from one patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medfl.metrics.inputs import THRESHOLD, Array

LEVEL = 0.95


def scores(probabilities: Array, labels: Array, task: str) -> Array:
    """(N,) how right each sample is, from 0 to 1; their mean is the accuracy.

    Args:
        probabilities: (N, K).
        labels: (N,) class indices, or (N, K) of 0 and 1 where ``task`` is multilabel.
        task: ``multiclass`` or ``multilabel``, where a score is the share of right labels.
    """
    if task == "multilabel":
        right: Array = ((probabilities >= THRESHOLD) == labels.astype(bool)).mean(axis=1)
        return right
    hits: Array = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    return hits


@dataclass(frozen=True)
class Proportion:
    """A mean of scores from 0 to 1 over samples that come by patients.

    Attributes:
        value: the mean over samples; None where there is no sample.
        n: samples.
        patients: whose samples they are.
        effective: how many independent samples would tell as much, at most ``n``.
    """

    value: float | None
    n: int
    patients: int
    effective: float = 0.0

    @classmethod
    def of(cls, scores: ArrayLike, patients: ArrayLike) -> Proportion:
        """Estimate a share from scores (N,) and the patient of each, (N,) whole numbers.

        The variance of the mean is that of a ratio of sums over patients, which is larger the more
        the samples of one patient are alike. Where no two patients differ it cannot be seen; each
        patient then counts for one sample.
        """
        x = np.asarray(scores, dtype=np.float64)
        n = len(x)
        if n == 0:
            return cls(None, 0, 0)
        _, codes, sizes = np.unique(patients, return_inverse=True, return_counts=True)
        value, k = float(x.mean()), len(sizes)
        apart = np.bincount(codes, x) - value * sizes
        variance = k / max(k - 1, 1) * float(apart @ apart) / n**2
        if k == 1 or variance <= 1e-12 / n:
            return cls(value, n, k, float(k))
        return cls(value, n, k, min(float(n), value * (1 - value) / variance))

    def interval(self, level: float = LEVEL) -> tuple[float, float] | tuple[None, None]:
        """Where the accuracy on new patients of the same kind lies; None, None for one patient.

        Korn & Graubard (Survey Methodology 24, 1998): the exact interval of Clopper and Pearson for
        the effective number of samples, which is made smaller for few patients, because few
        patients say little of how much they differ.
        """
        if self.value is None or self.patients < 2:
            return None, None
        from scipy.special import betaincinv, stdtrit

        tail = (1 - level) / 2
        known = stdtrit(self.n - 1, 1 - tail) / stdtrit(self.patients - 1, 1 - tail)
        spread = 0 < self.value < 1  # else each patient counts for one, which is few enough
        n = self.effective * (known**2 if spread else 1.0)
        hits, misses = n * self.value, n * (1 - self.value)
        low = float(betaincinv(hits, misses + 1, tail)) if hits > 0 else 0.0
        high = float(betaincinv(hits + 1, misses, 1 - tail)) if misses > 0 else 1.0
        return low, high
