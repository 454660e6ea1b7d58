"""What hospital-level privacy does not compose with, and why."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medfl.chain import Link
from medfl.errors import MedflError
from medfl.privacy.hospital.settings import HospitalParams

if TYPE_CHECKING:
    from medfl.chain.roles import Server
    from medfl.config import FederatedConfig

log = logging.getLogger(__name__)
OWN, MASKS = "dp_hospital", "secure_aggregation"
_SUMS = ("together", "combination", "close")


def check_hospital_params(params: HospitalParams) -> None:
    """Refuse noise, budget and sampling that contradict each other (``MedflError``)."""
    if params.noise_multiplier is None and params.target_epsilon is None:
        raise MedflError(
            "dp_hospital needs noise_multiplier, or a target_epsilon from which it follows; "
            "noise_multiplier: 0 is the reference without privacy."
        )
    if params.noise_multiplier == 0.0 and params.target_epsilon is not None:
        raise MedflError(
            "dp_hospital: noise_multiplier is 0, which keeps to no target_epsilon (ε is infinite): "
            "leave one of the two out."
        )
    if params.noise != "distributed":
        return
    for wrong, reason in (
        (
            params.sampling_rate < 1,
            "under masks the server knows who takes part, so that chance hides nobody: leave "
            "sampling_rate out",
        ),
        (
            params.adaptive is not None,
            "adaptive clipping is accounted for with central noise alone: leave `adaptive` out",
        ),
        (
            params.noise_multiplier == 0.0,
            "the reference without privacy needs no noise to distribute: take noise: central",
        ),
    ):
        if wrong:
            raise MedflError(f"dp_hospital with distributed noise: {reason}.")


def check_hospital_chain(
    params: HospitalParams, config: FederatedConfig, links: Sequence[Link]
) -> None:
    """Refuse settings and links under which its ε would not hold (``MedflError``)."""
    learning = config.federated_learning
    for wrong, reason in (
        (
            learning.weighting != "uniform",
            "what one hospital adds to the sum is bounded, and a weight by its size would multiply "
            "it: set federated_learning.weighting to uniform",
        ),
        (
            learning.local_steps is None,
            "passes over the data tell how many samples a hospital has, and so does the number of "
            "its steps: set federated_learning.local_steps in place of local_epochs",
        ),
        (
            config.chain.rule != "sum",
            f"noise hides a hospital in a sum, and the rule {config.chain.rule} makes none: leave "
            "chain.rule at sum",
        ),
        (
            params.sampling_rate < 1 and learning.clients_per_round is not None,
            "with a sampling_rate below 1 it draws itself who takes part, each hospital by chance "
            "of its own: leave clients_per_round out",
        ),
    ):
        if wrong:
            raise MedflError(f"dp_hospital: {reason}.")
    distributed = params.noise == "distributed"
    if distributed and MASKS not in {link.name for link in links}:
        raise MedflError(
            "dp_hospital with distributed noise: each hospital adds a share of the noise that "
            f"hides nothing alone. Add the link {MASKS}, or take noise: central."
        )
    behind = False
    for link in links:
        if link.name == OWN:
            behind = True
            continue
        if type(link).privacy is not Link.privacy:
            raise MedflError(
                f"{OWN} and {link.name} protect different units: a run has one of them."
            )
        if link.name == MASKS and distributed:
            continue
        if link.stage == "mask":
            raise MedflError(
                f"{OWN}: {link.name} rounds updates, which makes them longer than the bound that "
                f"this noise is made for: with {MASKS} take noise: distributed, or leave one of "
                "the two out."
            )
        places = ("message", *_SUMS) if behind else _SUMS
        if any(getattr(type(link), place) is not getattr(Link, place) for place in places):
            raise MedflError(
                f"{OWN}: the link {link.name} changes updates that are bounded already, so that "
                "the bound would not hold: leave one of the two out."
            )


def check_federation(
    params: HospitalParams, server: Server, noise: float, expected: float
) -> float:
    """Refuse a federation whose noise drowns the updates (``MedflError``).

    Args:
        params: the link's.
        server: of the federation.
        noise: the noise's deviation on the sum, divided by C.
        expected: m, by which the sum is divided.

    Returns:
        √d z / m, the length of the mean's noise beside the longest update.
    """
    entries = server.vector.numel() + server.buffers.numel()
    if noise and server.buffers.numel():
        raise MedflError(
            "dp_hospital: noise on batch norm's statistics makes variances negative. Set "
            "model.normalization to group, or keep batch norm with the hospitals: algorithm fedbn."
        )
    ratio = math.sqrt(entries) * noise / expected
    if ratio > params.max_noise_ratio:
        raise MedflError(
            f"dp_hospital: the noise of the mean update is √d · z / n = √{entries:,} · {noise:.3g} "
            f"/ {expected:g} = {ratio:,.3g} times as long as the longest update, so the model "
            "would learn nothing. Protect patients instead (dp_patient); or take 1,000 hospitals "
            f"or more and at most 100,000 parameters. A max_noise_ratio above {ratio:,.3g} runs it "
            "all the same."
        )
    return ratio


def warn_of_delta(params: HospitalParams, hospitals: int) -> None:
    """Warn of a δ with which one of so many hospitals could be published."""
    if params.target_delta >= 1 / hospitals:
        log.warning(
            "dp_hospital: δ = %g is not below 1/n for %d hospitals: it would allow to publish one "
            "of them outright. Choose target_delta below 1/n.",
            params.target_delta,
            hospitals,
        )
