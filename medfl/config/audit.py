"""The settings of `medfl audit`: the only place that knows their defaults."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from medfl.config.base import Section

CANARY_NETWORK = "medfl.privacy.audit.network:pixel_weights"
MOST = 10**5  # rounds and steps: more of them would take years
FEWEST_CANARIES = 1000
FEWEST_OF_A_CLIENT = 200
"""With fewer, the number of those that are in may change a client's rounded, public size."""
BOUND = 0.05
"""The norm to which a canary is cut, a tenth of what it would add: so it matters whether it is."""


class AuditSettings(Section):
    """A run with canaries through the link of a unit, and what is guessed from it."""

    unit: Literal["image", "patient", "hospital"] = Field(
        "image", description="what one ε protects: the canaries are images, patients or hospitals"
    )
    epsilon: float = Field(1.0, gt=0, description="ε that the link is to keep, and is held to")
    delta: float = Field(1e-5, gt=0, lt=1, description="δ of the claim")
    canaries: int | None = Field(
        None,
        ge=1,
        le=10**7,
        description="how many; by default 20000 images or patients, 10000 hospitals",
    )
    clients: int | None = Field(
        None,
        ge=1,
        le=10**6,
        description="clients that hold them, 20 by default; hospitals are clients",
    )
    images: int | None = Field(None, ge=1, le=1000, description="images of a patient, 2 by default")
    rounds: int = Field(2, ge=1, le=MOST, description="rounds of the federation")
    local_steps: int | None = Field(
        None,
        ge=1,
        le=MOST,
        description="steps of a client in a round; by default 10, of a hospital 1",
    )
    sampling_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="probability with which a unit is in a sample; by default 0.5, of hospitals 1",
    )
    noise: Literal["central", "distributed"] = Field(
        "central", description="who adds the noise on hospitals: the server, or each its share"
    )
    accountant: Literal["prv", "rdp"] = Field("prv", description="where units are sampled")
    guesses: float = Field(
        0.2, gt=0, le=1, description="share of the canaries about which a guess is made"
    )
    significance: float = Field(
        0.05, gt=0, lt=0.5, description="probability with which each bound may be wrong"
    )
    seed: int = Field(0, ge=0, description="which canaries are in, which samples, which noise")

    def resolved(self) -> dict[str, Any]:
        """All settings, those that were not given as they follow from the unit."""
        return self.model_dump() | {
            "canaries": self.count,
            "clients": self.homes,
            "images": self.images_each,
            "local_steps": self.steps,
            "sampling_rate": self.rate,
        }

    @property
    def hospitals(self) -> bool:
        """Whether each canary is a client."""
        return self.unit == "hospital"

    @property
    def count(self) -> int:
        """How many canaries there are."""
        return self.canaries or (10_000 if self.hospitals else 20_000)

    @property
    def homes(self) -> int:
        """How many clients there are."""
        return self.count if self.hospitals else self.clients or 20

    @property
    def drawn_from(self) -> int:
        """Of how many units a sample is drawn: about half of a client's canaries are in."""
        return self.count if self.hospitals else self.count // self.homes // 2

    @property
    def images_each(self) -> int:
        """How many images a canary has."""
        return self.images or (2 if self.unit == "patient" else 1)

    @property
    def steps(self) -> int:
        """Steps of a client in a round."""
        return self.local_steps or (1 if self.hospitals else 10)

    @property
    def rate(self) -> float:
        """The probability with which a unit is in a sample."""
        return self.sampling_rate or (1.0 if self.hospitals else 0.5)
