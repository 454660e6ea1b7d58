"""The figure of an audit: the scores of canaries, and the bounds beside the claim."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from medfl.pages.figures import GREY, PALETTE, styled
from medfl.privacy.audit.verdict import LEAST_F_DP, LEAST_ONE_RUN, Verdict

BINS = 60


@styled
def draw_audit(
    title: str, scores: NDArray[np.float64], inside: NDArray[np.bool_], verdict: Verdict
) -> Figure:
    """Scores (m,) of the canaries that are in and out; bounds on ε, the claim and the least bounds.

    Args:
        title: of the figure.
        scores: (m,).
        inside: (m,), whether each canary is in.
        verdict: the bounds and the claim.
    """
    figure = Figure(figsize=(8.2, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    edges = np.histogram_bin_edges(scores, BINS)
    for color, here, word in ((PALETTE[0], ~inside, "out"), (PALETTE[1], inside, "in")):
        label = f"{word} ({int(here.sum()):,})"
        left.hist(scores[here], edges, density=True, histtype="step", color=color, label=label)
    left.set(xlabel="score of a canary", ylabel="density", title="Canaries that are in, and out")
    left.ticklabel_format(axis="x", scilimits=(-2, 2))
    left.legend()
    bounds = (verdict.one_run, verdict.f_dp)
    right.bar((0, 1), bounds, width=0.55, color=PALETTE[2])
    for place, bound in enumerate(bounds):
        right.annotate(f"{bound:.2f}", (place, bound), ha="center", va="bottom")
    least = [share * verdict.epsilon for share in (LEAST_ONE_RUN, LEAST_F_DP)]
    label = "least that must be seen"
    right.hlines(least, (-0.4, 0.6), (0.4, 1.4), color=GREY, linestyle=":", label=label)
    claim = f"claimed ε {verdict.epsilon:.2f}"
    right.axhline(verdict.epsilon, color=PALETTE[1], linestyle="--", label=claim)
    highest = max(*bounds, verdict.epsilon)
    right.set(ylabel="ε", title="At least so much leaks", ylim=(0, 1.35 * highest))
    right.set_xticks((0, 1), ("one run", "f-DP form"))
    right.legend(loc="upper left")
    figure.suptitle(f"{title}: {verdict.finding.value}", fontsize=10)
    return figure
