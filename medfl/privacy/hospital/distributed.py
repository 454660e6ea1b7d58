"""Noise that every hospital adds a share of, as whole numbers, before the masks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from medfl.chain import Link, Part
from medfl.errors import MedflError
from medfl.privacy.accounting import skellam_tail
from medfl.privacy.hospital.mechanisms import SkellamSums
from medfl.privacy.hospital.rounding import choose_grid, largest_rounded, rounded_within
from medfl.privacy.skellam import skellam_numbers

if TYPE_CHECKING:
    import torch

    from medfl.chain.roles import Server
    from medfl.privacy.sealed.fixed_point import FixedPoint

_UNLIKELY = math.log(1e-9)
# Entries travel as floating point between links: their steps must be told apart after that.
_DIGITS = {4: 2**22, 8: 2**51}


@dataclass(frozen=True)
class NoiseShares:
    """How hospitals round and noise their updates.

    Attributes:
        bound: C.
        step: s, the grid of a bounded update, a power of two.
        entries: d, the most entries of a message.
        present: the hospitals of a round.
        threshold: t, the fewest with which a round has a sum.
        colluding: c, how many of them may tell the server their shares of the noise.
        point: how secure aggregation writes whole numbers.
    """

    bound: float
    step: float
    entries: int
    present: int
    threshold: int
    colluding: int
    point: FixedPoint

    @classmethod
    def under(cls, masks: Link, bound: float, server: Server, present: int) -> NoiseShares:
        """Those that go with secure aggregation, the link ``masks``, of ``present`` hospitals.

        A message has as many entries at most as what the server sends.
        """
        from medfl.privacy.sealed.bits import fixed_point_of
        from medfl.privacy.secure_aggregation.settings import ProtocolSettings

        given, weighting = masks.params, server.config.federated_learning.weighting
        entries = sum(part.value.numel() for part in server.download().values())
        return cls(
            bound,
            choose_grid(bound, entries),
            entries,
            present,
            ProtocolSettings(given.colluding, given.threshold).threshold_of(present),
            given.colluding,
            fixed_point_of(given, weighting, present, given.ring_bits),
        )

    def sums(self, noise: float, delta: float) -> SkellamSums:
        """What is known of ε where t − c shares of the noise stay unknown."""
        steps = self.bound / self.step
        largest = largest_rounded(steps, self.entries)
        return SkellamSums(noise, steps, largest, self.entries, delta)

    @property
    def honest(self) -> int:
        """t − c, the shares that hide a hospital at least."""
        return self.threshold - self.colluding

    @property
    def excess(self) -> float:
        """How much longer the noise of the sum is with all hospitals than it need be."""
        return math.sqrt(self.present / self.honest)

    def record(self, sums: SkellamSums) -> dict[str, float]:
        """What followed from the settings of secure aggregation."""
        return {
            "grid": self.step,
            "sensitivity_after_rounding": sums.largest * self.step,
            "threshold": self.threshold,
            "colluding": self.colluding,
            "noise_share": sums.noise / math.sqrt(self.honest),
            "noise_excess": self.excess,
        }

    def check_range(self, sums: SkellamSums, rounds: int, item_size: int) -> None:
        """Refuse a run in which an entry may be too large for the ring (``MedflError``)."""
        limit = min(self.point.largest_integer, _DIGITS[item_size])
        drawn = math.log(self.present * self.entries * max(1, rounds))
        likely = drawn + skellam_tail(limit - sums.largest, sums.variance / self.honest)
        if likely > _UNLIKELY:
            raise MedflError(
                f"dp_hospital: noise {sums.noise:.3g} on {self.entries:,} entries makes whole "
                f"numbers larger than {limit:,}, which a ring of {self.point.ring_bits} bits and "
                f"{8 * item_size}-bit floating point hold for {self.present} hospitals: take "
                "ring_bits: 64, less noise or a smaller network."
            )

    def noised(
        self,
        parts: Mapping[str, Part],
        scales: Mapping[str, float],
        sums: SkellamSums,
        stream: Callable[[str], torch.Generator | None],
    ) -> dict[str, Part]:
        """Bounded parts as whole multiples of a grid, with this hospital's share of the noise.

        Raises:
            MedflError: there are more entries than were planned for.
        """
        import torch

        lengths = [part.value.numel() for part in parts.values()]
        if sum(lengths) > self.entries:
            raise MedflError(
                f"dp_hospital: a message has {sum(lengths):,} entries, and the server sends only "
                f"{self.entries:,}, for which the rounding is accounted: take noise: central for "
                "this algorithm."
            )
        grids = [self.step / scales.get(name, 1.0) for name in parts]
        values = [
            part.update.double().cpu().numpy() / grid
            for part, grid in zip(parts.values(), grids, strict=True)
        ]
        whole = rounded_within(np.concatenate(values), sums.largest, stream("rounding"))
        variance = sums.variance / self.honest
        whole += skellam_numbers(len(whole), variance, stream("noise"))
        found, start = {}, 0
        for (name, part), grid in zip(parts.items(), grids, strict=True):
            piece = whole[start : start + part.value.numel()] * grid
            start += part.value.numel()
            # Beside a base the steps would be lost in the base's own digits.
            base = None if part.base is None else torch.zeros_like(part.base)
            value = torch.from_numpy(piece).to(part.value.device, part.value.dtype)
            found[name] = replace(
                part, value=value, base=base, weight=self.point.weight_unit, grid=grid
            )
        return found
