"""Synthetic CT volumes: an abdomen with one lesion, whose class is its density or its shape.

Nothing here is a patient. Coordinates are DICOM's (LPS: x to the left, y to the back, z to the
head), in mm; values are Hounsfield units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

CLASSES = ("cyst", "solid", "lobulated")
LESION_HU = {"cyst": 5.0, "solid": 150.0, "lobulated": 150.0}
EDGE = 2.0  # mm over which one tissue becomes the next: partial volumes


@dataclass(frozen=True)
class CtScanner:
    """One site's scanner, and how the site exports its volumes.

    Attributes:
        site: name of the site.
        manufacturer: fictitious.
        export: a DICOM series, or a NIfTI file with axes of these directions.
        matrix: slices, rows, columns.
        spacing: the same in mm.
        gain, offset: calibration: stored = gain · HU + offset.
        blur: standard deviation of the reconstruction kernel, mm.
        noise: standard deviation, HU.
    """

    site: str
    manufacturer: str
    export: Literal["dicom", "RAS", "LAS"]
    matrix: tuple[int, int, int]
    spacing: tuple[float, float, float]
    gain: float = 1.0
    offset: float = 0.0
    blur: float = 2.0
    noise: float = 15.0


SCANNERS = (
    CtScanner("SITE-A", "Synthetic CT A", "dicom", (20, 32, 32), (8, 6, 6)),
    CtScanner(
        "SITE-B", "Synthetic CT B", "dicom", (24, 36, 36), (6.5, 5.5, 5.5), 0.85, 40, 4.0, 10
    ),
    CtScanner("SITE-C", "Synthetic CT C", "RAS", (32, 32, 32), (5, 6, 6), 1.1, -35, 1.0, 45),
    CtScanner("SITE-D", "Synthetic CT D", "LAS", (26, 40, 40), (6, 5, 5), 1.0, 15, 3.0, 30),
)


@dataclass(frozen=True)
class Abdomen:
    """One simulated person.

    Attributes:
        body: half axes of the trunk's ellipse, x and y, mm.
        liver: centre of the organ, mm; liver_radii: its half axes.
        tissue: HU of fat and muscle, of the organ, of bone.
        lesion: one of ``CLASSES``.
        centre: where the lesion's centre lies, mm.
        radius: radius of a sphere as large as the lesion, mm.
        lobes: directions (n, 3) of a lobulated lesion's bumps; none otherwise.
    """

    body: tuple[float, float]
    liver: tuple[float, float, float]
    liver_radii: tuple[float, float, float]
    tissue: tuple[float, float, float]
    lesion: str
    centre: tuple[float, float, float]
    radius: float
    lobes: np.ndarray


def draw_abdomen(rng: np.random.Generator, lesion: str) -> Abdomen:
    """Draw a person with a lesion of this class; size and place do not tell the class."""
    liver = np.array([-25.0, -5.0, 0.0]) + rng.normal(0, 4, 3)
    radii = np.array([50.0, 48.0, 52.0]) * rng.uniform(0.92, 1.08, 3)
    away = rng.normal(size=3)
    away *= rng.uniform(0, 18) / np.linalg.norm(away)
    lobes = rng.normal(size=(6, 3))
    lobes /= np.linalg.norm(lobes, axis=1, keepdims=True)
    a, b, c = (float(x) for x in liver)
    x, y, z = (float(x) for x in liver + away)
    return Abdomen(
        body=(float(rng.uniform(80, 90)), float(rng.uniform(68, 76))),
        liver=(a, b, c),
        liver_radii=(float(radii[0]), float(radii[1]), float(radii[2])),
        tissue=(
            float(rng.normal(0, 10)),
            float(rng.normal(70, 10)),
            float(rng.normal(500, 60)),
        ),
        lesion=lesion,
        centre=(x, y, z),
        radius=float(rng.uniform(20, 26)),
        lobes=lobes if lesion == "lobulated" else lobes[:0],
    )


def hounsfield(person: Abdomen, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The person's HU at places (mm, LPS), in the coordinates' common shape."""
    fat, organ, bone = person.tissue
    values = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), -1000.0)
    rim = min(person.body)
    trunk = np.hypot(x / person.body[0], y / person.body[1])
    values = _put(values, fat, (1 - trunk) * rim)
    spine = 14 - np.hypot(x, y - 0.65 * person.body[1])
    values = _put(values, bone, spine)
    ratios = [
        (p - centre) / radius
        for p, centre, radius in zip((x, y, z), person.liver, person.liver_radii, strict=True)
    ]
    inside = (1 - np.sqrt(sum(ratio**2 for ratio in ratios))) * min(person.liver_radii)
    values = _put(values, organ, inside)
    return _put(values, LESION_HU[person.lesion], lesion_depth(person, x, y, z))


def lesion_depth(person: Abdomen, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """How deep inside the lesion a place is, mm; negative outside.

    A lobulated lesion is a small core with six bumps, of about the volume of the sphere.
    """
    place = [p - centre for p, centre in zip((x, y, z), person.centre, strict=True)]
    core = 0.55 if len(person.lobes) else 1.0
    depth = core * person.radius - np.sqrt(sum(p**2 for p in place))
    for lobe in person.lobes:
        bump = [p - 0.95 * person.radius * d for p, d in zip(place, lobe, strict=True)]
        depth = np.maximum(depth, 0.5 * person.radius - np.sqrt(sum(p**2 for p in bump)))
    return np.asarray(depth)


def acquire(person: Abdomen, scanner: CtScanner, rng: np.random.Generator) -> np.ndarray:
    """Simulate one acquisition: (slices, rows, columns) in the scanner's HU, float32."""
    from scipy import ndimage

    shift = rng.normal(0, 3, 3)  # how the person lies
    axes = [
        (np.arange(n) - (n - 1) / 2) * step + move
        for n, step, move in zip(scanner.matrix, scanner.spacing, shift, strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    values = hounsfield(person, x, y, z)
    values = ndimage.gaussian_filter(values, scanner.blur / np.array(scanner.spacing))
    values += rng.normal(0, scanner.noise, values.shape)
    return np.asarray(scanner.gain * values + scanner.offset, dtype=np.float32)


def _put(values: np.ndarray, tissue: float, depth: np.ndarray) -> np.ndarray:
    """Replace by ``tissue`` where ``depth`` in mm is positive, with a soft edge."""
    share = np.clip(depth / EDGE + 0.5, 0, 1)
    return values + share * (tissue - values)
