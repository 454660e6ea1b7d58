"""What is fixed of hospital-level privacy before anything is seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medfl.errors import MedflError
from medfl.privacy.hospital.adaptive import AdaptiveBound
from medfl.privacy.hospital.attendance import Attendance
from medfl.privacy.hospital.mechanisms import (
    GaussianSums,
    NoisedSums,
    SkellamSums,
    mechanism_of,
    releases_within,
)
from medfl.privacy.hospital.refusals import OWN, check_federation
from medfl.privacy.hospital.settings import HospitalParams

if TYPE_CHECKING:
    from medfl.chain import Link
    from medfl.chain.roles import Server
    from medfl.privacy.hospital.distributed import NoiseShares


@dataclass(frozen=True)
class HospitalPlan:
    """The constants of a run.

    Attributes:
        expected: m, the hospitals that are expected in a round, by which sums are divided.
        sums: the mechanism, which knows ε.
        shares: how hospitals noise their updates; None where the server adds the noise.
        adaptive: how the bound moves; None where it stays.
        ratio: √d z / m, the length of the mean's noise beside the longest update.
        attendance: who may take part how often.
    """

    expected: float
    sums: NoisedSums
    shares: NoiseShares | None
    adaptive: AdaptiveBound | None
    ratio: float
    attendance: Attendance

    @property
    def update_noise(self) -> float:
        """The noise's deviation on the sum of updates, divided by their bound."""
        return self.adaptive.update_noise if self.adaptive else self.sums.noise

    def record(self) -> dict[str, Any]:
        """What followed from the parameters."""
        found = {
            "noise_multiplier": self.sums.noise,
            "update_noise_multiplier": self.update_noise,
            "expected_hospitals": self.expected,
            "noise_ratio": self.ratio,
        }
        if self.adaptive is not None:
            found["count_noise"] = self.adaptive.count_deviation
        if self.shares is not None:
            assert isinstance(self.sums, SkellamSums)
            found |= self.shares.record(self.sums)
        return found


def hospital_plan(params: HospitalParams, server: Server, masks: Link | None) -> HospitalPlan:
    """Choose the constants of a run (``MedflError`` where none keep to the budget, or work)."""
    rounds = server.config.federated_learning.rounds
    times = Counter(
        place for number in range(1, rounds + 1) for place in server.participants(number)
    )
    planned = max(times.values(), default=0)
    taking_part = len(server.participants(1))
    expected = params.sampling_rate * taking_part
    shares = None
    if params.noise == "distributed":
        from medfl.privacy.hospital.distributed import NoiseShares

        assert masks is not None
        shares = NoiseShares.under(masks, params.max_grad_norm, server, taking_part)

    def make(noise: float) -> NoisedSums:
        return shares.sums(noise, params.target_delta) if shares else GaussianSums(noise, params)

    sums = mechanism_of(params, make, planned)
    adaptive = None
    if params.adaptive is not None:
        adaptive = AdaptiveBound(params.adaptive, sums.noise, expected)
    noise = adaptive.update_noise if adaptive else sums.noise
    if shares is not None:
        noise *= shares.excess
    ratio = check_federation(params, server, noise, expected)
    if shares is not None:
        assert isinstance(sums, SkellamSums)
        shares.check_range(sums, rounds, server.vector.element_size())
    limit = releases_within(params, sums, planned)
    if planned and not limit:
        raise MedflError(
            f"{OWN}: target_epsilon is {params.target_epsilon:g}, and one round spends "
            f"{sums.epsilon(1):.3g} (noise_multiplier {sums.noise:g}): raise one of these two."
        )
    attendance = Attendance(OWN, sorted(server.local_steps), limit, params.sampling_rate < 1)
    return HospitalPlan(expected, sums, shares, adaptive, ratio, attendance)
