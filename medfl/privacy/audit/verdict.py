"""What an audit says of a claim."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from medfl.privacy.audit.guesses import Guesses
from medfl.privacy.audit.poisson import PoissonTests

LEAST_ONE_RUN, LEAST_F_DP = 0.2, 0.35
"""Shares of the claimed ε that the bounds must reach: who sees nothing proves nothing."""


class AuditFinding(Enum):
    """What was found, in words."""

    HOLDS = "the claim holds, as far as the canaries can see"
    BROKEN = "the claim is wrong"
    SAMPLING = "the samples are not drawn as the claim takes them to be"
    BLIND = "too little is seen to judge the claim: take more canaries, or another seed"


@dataclass(frozen=True)
class Verdict:
    """A claim beside what was seen.

    Attributes:
        epsilon: ε as it is claimed.
        one_run: the bound by the one-run theorem.
        f_dp: the bound by its f-DP form.
        guesses: what the bounds follow from.
        draws: tests of the samples; None where nothing is sampled.
        neighbours: the bound by two neighbours on a step that claims ε; None where none was asked.
    """

    epsilon: float
    one_run: float
    f_dp: float
    guesses: Guesses
    draws: PoissonTests | None
    neighbours: float | None = None

    @property
    def finding(self) -> AuditFinding:
        """A wrong claim first, then wrong samples, then whether enough was seen."""
        if max(self.one_run, self.f_dp, self.neighbours or 0.0) > self.epsilon:
            return AuditFinding.BROKEN
        if self.draws is not None and not self.draws.passed:
            return AuditFinding.SAMPLING
        seen = (
            self.one_run >= LEAST_ONE_RUN * self.epsilon and self.f_dp >= LEAST_F_DP * self.epsilon
        )
        return AuditFinding.HOLDS if seen else AuditFinding.BLIND

    @property
    def passed(self) -> bool:
        """Whether the claim holds and enough was seen to say so."""
        return self.finding is AuditFinding.HOLDS


def judge_audit(
    guesses: Guesses,
    epsilon: float,
    delta: float,
    significance: float,
    draws: PoissonTests | None,
    neighbours: float | None = None,
) -> Verdict:
    """Hold a claim (ε, δ) against guesses, with bounds at this level."""
    return Verdict(epsilon, *guesses.bounds(delta, significance), guesses, draws, neighbours)
