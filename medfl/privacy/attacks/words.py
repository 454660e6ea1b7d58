"""What the attacks found, as a page of Markdown: every sentence follows from the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from medfl.config.attack import InversionSettings, MembershipSettings
from medfl.privacy.attacks.cases import INVERSION_FIGURES
from medfl.privacy.attacks.membership import MembershipCurve
from medfl.privacy.attacks.roc import FALSE_POSITIVES

CLEAR = 3.0
"""dB above the guess from which on an attack is said to show the image."""
NOTHING = "nothing"
"""What has been seen by somebody who only guesses."""


def inversion_page(
    dataset: str, rows: Sequence[Mapping[str, Any]], settings: InversionSettings
) -> str:
    """The page on reconstructions: a table for each figure, and what it means.

    Args:
        dataset: its word.
        rows: those of ``inversion.csv``.
        settings: of the attack.
    """
    steps = "one local step" if settings.local_steps == 1 else f"{settings.local_steps} local steps"
    lines = [
        f"# Images rebuilt from updates: {dataset}",
        "",
        f"The server follows the protocol and knows the model that it sent. {settings.images} "
        f"client(s) are attacked, each after {steps} on all of its images; {settings.clients} "
        "clients are in a sum. Numbers are medians over all images of the attacked clients, with "
        "the lowest and the highest. The attacker is given the labels, and which of its pictures "
        "belongs to which image; both can only help it.",
        "",
        "Somebody who has seen no update can guess the mean of other people's images. An attack "
        f"shows an image where it is better than that by {CLEAR:g} dB.",
    ]
    for figure, title in INVERSION_FIGURES.items():
        here = [row for row in rows if row["figure"] == figure]
        if not here:
            continue
        lines += [
            "",
            f"## {title}",
            "",
            f"![{title}](inversion_{figure}.png)",
            "",
            "| case | seen | PSNR (dB) | SSIM | images shown |",
            "|---|---|--:|--:|--:|",
        ]
        for case in dict.fromkeys(row["case"] for row in here):
            of_case = [row for row in here if row["case"] == case]
            psnr, ssim = ([float(row[key]) for row in of_case] for key in ("psnr", "ssim"))
            cells = [case, of_case[0]["seen"], _spread(psnr, 1), _spread(ssim, 2), _shown(of_case)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float], digits: int) -> str:
    """The median, with the lowest and the highest where there are several."""
    middle = f"{median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _shown(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many of the images an attack shows; empty for the guess itself."""
    if rows[0]["seen"] == NOTHING:
        return ""
    better = sum(float(row["psnr"]) >= float(row["guess_psnr"]) + CLEAR for row in rows)
    return f"{better} of {len(rows)}"


def membership_page(
    dataset: str,
    curves: Mapping[str, Mapping[str, Sequence[MembershipCurve]]],
    spent: Mapping[str, float | None],
    settings: MembershipSettings,
) -> str:
    """The page on membership: a table for each arm, and how far its numbers reach.

    Args:
        dataset: its word.
        curves: arm → whose model → curves.
        spent: arm → ε; None where it promises none.
        settings: of the attack.
    """
    lines = [
        f"# Who was trained on: {dataset}",
        "",
        f"{settings.shadows} federations, each with a random half of the patients; each in turn is "
        "the target, and the others are its shadow models. Intervals (95 %) are exact ones "
        "(Clopper and Pearson) for as many independent samples as the images of the same patients "
        f"are worth. A share is given from {FALSE_POSITIVES}/FPR non-members on.",
    ]
    for arm, by_model in curves.items():
        first = next(iter(by_model.values()))[0]
        rates = [one.rate for one in first.caught]
        lines += [
            "",
            f"## {arm}",
            "",
            f"![ROC of {arm}](membership_{arm}.png)",
            "",
            f"{first.roc.members:,} members, {first.roc.others:,} non-members; "
            f"{_promise(spent[arm])}.",
            "",
            "| attack | AUC | " + " | ".join(f"found at {r:.1%} FPR" for r in rates) + " |",
            "|---|--:|" + "--:|" * len(rates),
        ]
        for one in (curve for found in by_model.values() for curve in found):
            shares = " | ".join(_share(c.value, c.low, c.high) for c in one.caught)
            lines.append(f"| {one.title} | {one.roc.auc:.3f} | {shares} |")
    lines += [
        "",
        "Guessing finds as large a share of members as its false-positive rate. An interval that "
        "holds this rate shows no leak that these numbers could tell from luck.",
    ]
    return "\n".join(lines) + "\n"


def _promise(epsilon: float | None) -> str:
    return "no ε is promised" if epsilon is None else f"ε = {epsilon:.2f} is promised"


def _share(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "too few non-members"
    interval = "" if low is None or high is None else f" ({low:.2%} to {high:.2%})"
    return f"{value:.2%}{interval}"
