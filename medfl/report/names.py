"""What tables and plots call things: metrics, partitions, roles, sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass

GLOBAL, PERSONAL, REFERENCE = "global", "personal", "reference"
REFERENCE_ALGORITHMS = ("centralized", "local")
ROLE_TITLES = {
    GLOBAL: "One global model",
    PERSONAL: "Personal models †",
    REFERENCE: "References, not ranked",
}


@dataclass(frozen=True)
class Metric:
    """One column of the summary as a reader sees it."""

    column: str
    title: str
    short: str
    percent: bool = False
    higher_is_better: bool | None = True
    digits: int = 3

    def format(self, value: float) -> str:
        """The number in the table's unit, without the unit."""
        if self.column == "megabytes":
            return format_megabytes(value)
        return f"{100 * value:.1f}" if self.percent else f"{value:.{self.digits}f}"


ACCURACY = Metric("test_accuracy", "Test accuracy (%)", "Accuracy", percent=True)
BALANCED = Metric(
    "test_balanced_accuracy", "Balanced accuracy (%)", "Balanced accuracy", percent=True
)
AUC = Metric("test_auc_macro", "Macro AUC-ROC", "Macro AUC")
WORST = Metric("worst_client_accuracy", "Worst client's accuracy (%)", "Worst client", percent=True)
MEGABYTES = Metric("megabytes", "Traffic, up and down (MB a run)", "MB", higher_is_better=None)
METRICS = (
    ACCURACY,
    BALANCED,
    AUC,
    WORST,
    Metric("test_f1_macro", "Macro F1 (%)", "Macro F1", percent=True),
    Metric("test_kappa", "Cohen's kappa", "Kappa"),
    Metric("test_ece", "Expected calibration error", "ECE", higher_is_better=False),
    Metric("test_log_loss", "Log loss", "Log loss", higher_is_better=False),
    Metric(
        "best_test_accuracy",
        "Test accuracy (%) in the round that was best on validation",
        "Accuracy, best round",
        percent=True,
    ),
    Metric(
        "personal_accuracy",
        "Accuracy (%) of each client's own model on its own test fold",
        "Personal accuracy",
        percent=True,
    ),
    Metric("client_accuracy_std", "Spread of client accuracy (σ, %)", "Spread", True, False),
    Metric("jain", "Jain's fairness index of client accuracy", "Jain"),
    MEGABYTES,
    Metric(
        "rounds_to_target", "Rounds to the target accuracy", "Rounds to target", False, False, 1
    ),
)
# The columns of the main table after the accuracy of each partition.
MAIN_EXTRAS = (BALANCED, AUC, WORST, MEGABYTES)

_SCHEMES = {
    "iid": "IID",
    "site": "Natural sites",
    "dirichlet": "Dirichlet α = {}",
    "pathological": "{} classes a client",
    "quantity": "Quantity, exponent {}",
    "dirichletquantity": "Dirichlet label and quantity α = {}",
    "noise": "Noise {}",
    "scanner": "Scanner strength {}",
    "site-dirichlet": "Sites, Dirichlet α = {}",
}


def partition_title(word: str) -> str:
    """``dirichlet-0.5`` as a person says it; a word that is not known stays as it is."""
    scheme, _, value = word.rpartition("-")
    if word in _SCHEMES and "{}" not in _SCHEMES[word]:
        return _SCHEMES[word]
    title = _SCHEMES.get(scheme, "")
    return title.format(value) if "{}" in title else word


def role(algorithm: str, evaluated: str) -> str:
    """Which arms compete with which: global models, personal models, or references."""
    if algorithm in REFERENCE_ALGORITHMS or evaluated == "local":
        return REFERENCE
    return PERSONAL if evaluated == "personal" else GLOBAL


def format_megabytes(value: float) -> str:
    """Megabytes (10⁶ bytes) with about three significant digits and no exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 4)}f}"


def plural(count: int, word: str) -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{count} {word}" + ("" if count == 1 else "s")


def join_words(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
