"""A simulated person, drawn at random: the sizes of the body, and one finding or none.

Sizes are those of an adult, in cm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from medfl.phantom.projection import rotation

CLASSES = ("normal", "mass", "consolidation", "effusion", "pneumothorax")


@dataclass(frozen=True)
class Patient:
    """One person's anatomy and finding, the same in all their images.

    Attributes:
        finding: a name of ``CLASSES``.
        side: −1 the patient's right lung, +1 the left: where the finding is.
        scale: size relative to the average adult, across and along.
        vessels: (n, 8) centre x y z, half-length, radius, roll, yaw and side of lung vessels.
        blobs: (n, 4) centre x y z and radius of masses or of patches of consolidation.
        traits: named numbers, see ``draw_patient``.
    """

    finding: str
    side: int
    scale: tuple[float, float]
    female: bool
    age: int
    traits: dict[str, float]
    vessels: np.ndarray
    blobs: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))


def draw_patient(rng: np.random.Generator, finding: str) -> Patient:
    """Draw a patient with the given finding."""
    side = int(rng.choice([-1, 1]))
    blobs = np.zeros((0, 4))
    if finding == "mass":
        blobs = _masses(rng, side)
    elif finding == "consolidation":
        blobs = _consolidation(rng, side)
    return Patient(
        finding=finding,
        side=side,
        scale=(float(rng.normal(1, 0.06)), float(rng.normal(1, 0.05))),
        female=bool(rng.random() < 0.5),
        age=int(rng.integers(20, 90)),
        traits={
            "depth": rng.normal(10.5, 1.1),
            "fat": max(0.0, rng.gamma(2.0, 0.6)),
            "heart": rng.normal(1.0, 0.10),
            "heart_axis": rng.normal(0.55, 0.12),
            "aorta": rng.normal(1.0, 0.15),
            "dome": rng.normal(0.0, 0.7),
            "rib_slope": rng.normal(0.50, 0.06),
            "rib_gap": rng.normal(2.45, 0.12),
            "bone": rng.normal(1.0, 0.12),
            "lung": rng.normal(1.0, 0.12),
            "extent": rng.uniform(0.0, 1.0),
            "tilt": rng.normal(0.0, 0.06),
        },
        vessels=_vessels(rng),
        blobs=blobs,
    )


def _masses(rng: np.random.Generator, side: int) -> np.ndarray:
    """(n, 4) centres and radii of one to three round lesions in the lung."""
    rows = []
    for _ in range(int(rng.integers(1, 4))):
        x, y, z = rng.uniform(-1, 1, 3) * (3.2, 7.0, 4.0)
        rows.append((side * 7.8 + x, -2.5 + y, z, rng.uniform(1.6, 2.5)))
    return np.array(rows)


def _consolidation(rng: np.random.Generator, side: int) -> np.ndarray:
    """(n, 4) centres and widths of the soft patches of one lobe."""
    centre = np.array([side * rng.uniform(5.5, 9), rng.uniform(-7, 6), rng.uniform(-3, 3)])
    count = int(rng.integers(6, 11))
    places = centre + rng.normal(0, 1, (count, 3)) * (1.6, 2.3, 1.5)
    return np.column_stack([places, rng.uniform(0.9, 1.9, count)])


def _vessels(rng: np.random.Generator) -> np.ndarray:
    """(n, 8): centre x y z, half-length, radius, roll, yaw, side; they fan out from the hila."""
    rows = []
    for side in (-1, 1):
        for _ in range(7):
            roll, yaw = rng.uniform(-1.3, 1.3), rng.uniform(-0.9, 0.9)
            half = rng.uniform(1.6, 3.6)
            start = np.array([side * 3.4, 0.6, -0.5])
            axis = rotation(yaw=side * yaw, roll=side * roll) @ (side, 0, 0)
            centre = start + axis * half * rng.uniform(0.8, 1.5)
            radius = rng.uniform(0.25, 0.55)
            rows.append((*centre, half, radius, side * roll, side * yaw, side))
    return np.array(rows)
