"""Canaries: samples, patients or hospitals of which each is in the data or not, by a coin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medfl.models.build import MIN_IMAGE_SIZE
from medfl.store import DatasetInfo, Store

FULL, DIM = 255, 160
"""The pixel values of a canary's first image and of its further ones."""
LABEL = "bright"


@dataclass(frozen=True)
class Canaries:
    """Who the canaries are.

    Attributes:
        inside: (m,), whether each is in the data: with probability ½, by itself.
        homes: (m,), the client at which it is, or would be.
        pixels: (m,), the pixel that is bright in its images; no other canary of its client has it.
    """

    inside: NDArray[np.bool_]
    homes: NDArray[np.int64]
    pixels: NDArray[np.int64]

    @classmethod
    def draw(cls, count: int, clients: int, seed: int) -> Canaries:
        """Deal ``count`` canaries to clients in turn, and throw the coins."""
        numbers = np.arange(count)
        inside = np.random.default_rng([seed, count]).random(count) < 0.5
        return cls(inside, numbers % clients, numbers // clients)

    @classmethod
    def of_hospitals(cls, count: int, seed: int) -> Canaries:
        """Each canary is a client of its own, with a pixel that is bright at no other."""
        numbers = np.arange(count)
        inside = np.random.default_rng([seed, count]).random(count) < 0.5
        return cls(inside, numbers, numbers)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(m,), whether the images have the label: those of every other pixel."""
        odd: NDArray[np.bool_] = self.pixels % 2 == 1
        return odd

    @property
    def signs(self) -> NDArray[np.int64]:
        """(m,), in which direction training moves the weight of the pixel: up with the label."""
        return np.where(self.labelled, 1, -1)


class CanaryStore(Store):
    """The images of canaries, in memory: one bright pixel each, the rest black.

    Two black images that nobody trains on stand at the end; a run wants some to judge on.

    Args:
        canaries: who they are.
        images_each: images of each canary, all with the same pixel. The first is the brightest.
        black: whether a canary that is out has black images in place of none. Hospitals do: they
            take part, with an update of zeros.

    Attributes:
        homes: (n,), the client of each image.
    """

    def __init__(self, canaries: Canaries, images_each: int = 1, black: bool = False) -> None:
        everyone = np.arange(len(canaries.inside))
        here = np.repeat(everyone if black else everyone[canaries.inside], images_each)
        side = max(MIN_IMAGE_SIZE, math.ceil(math.sqrt(canaries.pixels.max() + 1)))
        images = np.zeros((len(here) + 2, 1, side, side), np.uint8)
        rows = np.flatnonzero(canaries.inside[here])
        values = np.where(rows % images_each == 0, FULL, DIM)
        images.reshape(len(images), -1)[rows, canaries.pixels[here[rows]]] = values
        blank = [""] * len(images)
        labels = np.append(np.where(canaries.labelled[here], LABEL, ""), [LABEL, ""])
        columns = {
            "id": [f"image{row}" for row in range(len(images))],
            "labels": labels.tolist(),
            "group": [*(f"canary{one}" for one in here.tolist()), "val", "test"],
            "site": blank,
            "modality": blank,
            "fold": blank,
        }
        self.homes = np.append(canaries.homes[here], [0, 0])
        super().__init__(Path("canaries"), _INFO, images, columns)  # type: ignore[arg-type]

    def fingerprint(self) -> str:
        """They are on no disk."""
        return "canaries"


_INFO = DatasetInfo(
    name="canaries",
    title="Canaries",
    classes=(LABEL,),
    task="multilabel",
    modality="OT",
    synthetic=True,
    citation="",
    licence="",
    mean=(0.5,),
    std=(0.5,),
)
