"""The figures of `medfl attack`: originals beside reconstructions, and the ROC of membership."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from medfl.pages.figures import LINES, PALETTE, styled
from medfl.privacy.attacks.membership import MembershipCurve
from medfl.privacy.attacks.roc import RATES

WIDTH, HEIGHT = 1.25, 1.4  # inches: one picture with its numbers below


@styled
def draw_reconstructions(
    title: str,
    originals: Sequence[NDArray[np.float64]],
    rows: Mapping[str, Sequence[tuple[NDArray[np.float64], float, float]]],
) -> Figure:
    """The originals above what each attack made of them, with PSNR and SSIM below.

    Args:
        title: of the figure.
        originals: (C, H, W) each, pixels from 0 to 1.
        rows: what a row is called → image, PSNR in dB and SSIM, in the order of ``originals``.
    """
    count = len(originals)
    shown: list[tuple[str, list[Any], list[str]]] = [
        ("original", list(originals), [""] * count),
        *(
            (name, [cell[0] for cell in cells], [_numbers(*cell[1:]) for cell in cells])
            for name, cells in rows.items()
        ),
    ]
    size = (2.0 + WIDTH * count, 0.4 + HEIGHT * len(shown))
    # "constrained" would leave the gaps of square images out, and cut the names on the left.
    figure = Figure(figsize=size, layout="compressed")
    axes = figure.subplots(len(shown), count, squeeze=False)
    for line, (name, images, numbers) in zip(axes, shown, strict=True):
        for axis, image, words in zip(line, images, numbers, strict=True):
            _show(axis, image)
            axis.set_xlabel(words, fontsize=7.5, labelpad=2)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8.5)
    figure.suptitle(title, fontsize=10)
    return figure


def _numbers(psnr: float, ssim: float) -> str:
    return f"{psnr:.1f} dB, {ssim:.2f}" if psnr < 99.95 else f"≥ 100 dB, {ssim:.2f}"


def _show(axis: Any, image: NDArray[np.float64]) -> None:
    pixels = np.moveaxis(image, 0, -1)
    grey = pixels.shape[-1] != 3
    axis.imshow(pixels[..., 0] if grey else pixels, cmap="gray", vmin=0, vmax=1)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    axis.spines[:].set_visible(False)


@styled
def draw_roc(title: str, curves: Sequence[MembershipCurve]) -> Figure:
    """ROC curves with both axes logarithmic, each from its smallest false-positive rate on.

    Points are the shares of members found at the rates of ``RATES``, with their 95 % intervals.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axis = figure.subplots()
    lowest = min(curve.roc.lowest for curve in curves)
    for number, curve in enumerate(curves):
        color = PALETTE[number % len(PALETTE)]
        reached = (curve.roc.fpr >= curve.roc.lowest) & (curve.roc.tpr > 0)
        axis.plot(
            curve.roc.fpr[reached],
            curve.roc.tpr[reached],
            color=color,
            linestyle=LINES[number // len(PALETTE) % len(LINES)],
            label=f"{curve.title} (AUC {curve.roc.auc:.3f})",
            linewidth=1.4,
        )
        for one in curve.caught:
            if one.value and one.low is not None and one.high is not None:
                axis.errorbar(
                    one.rate * 1.06 ** (number - len(curves) / 2),  # side by side
                    one.value,
                    yerr=[[one.value - one.low], [one.high - one.value]],
                    color=color,
                    marker="o",
                    markersize=4,
                    capsize=2,
                )
    guess = np.geomspace(lowest, 1, 50)
    axis.plot(guess, guess, color="black", linestyle=":", linewidth=1.0, label="guessing")
    axis.set(xscale="log", yscale="log", xlim=(lowest, 1), ylim=(min(lowest, RATES[0]), 1.02))
    axis.set_xlabel("false-positive rate: non-members taken for members")
    axis.set_ylabel("true-positive rate: members found")
    axis.set_title(title)
    figure.legend(loc="outside lower center", ncols=1)
    return figure
