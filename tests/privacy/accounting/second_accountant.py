"""What Google's dp-accounting says of noised steps. It runs in an environment of its own.

dp-accounting needs an older attrs than other packages of medfl's environment do. So this file
imports nothing of medfl: it reads questions as JSON from standard input, and prints the answers.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import dp_accounting
from dp_accounting import DpEvent, GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant


def event(noise: float, rate: float, steps: int) -> DpEvent:
    """So many steps with Gaussian noise on a Poisson sample."""
    step = GaussianDpEvent(noise)
    return SelfComposedDpEvent(step if rate == 1 else PoissonSampledDpEvent(rate, step), steps)


def answer(question: dict[str, Any]) -> dict[str, float]:
    """ε by Rényi divergences and by the privacy loss distribution; or the noise for a budget.

    The noise is by Rényi divergences, since the other accountant would seek for minutes.
    """
    rate, steps, delta = question["rate"], question["steps"], question["delta"]
    if "noise" in question:
        of_noise = event(question["noise"], rate, steps)
        return {
            "rdp": RdpAccountant().compose(of_noise).get_epsilon(delta),
            "pld": PLDAccountant().compose(of_noise).get_epsilon(delta),
        }
    noise = dp_accounting.calibrate_dp_mechanism(
        RdpAccountant,
        lambda noise: event(noise, rate, steps),
        question["target"],
        delta,
        bracket_interval=dp_accounting.LowerEndpointAndGuess(0.1, 2.0),
        tol=1e-4,
    )
    return {"noise": noise}


if __name__ == "__main__":
    print(json.dumps([answer(question) for question in json.load(sys.stdin)]))
