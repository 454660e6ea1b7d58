"""Line integrals through simple solids, in closed form.

A parallel beam runs along z. On each ray a convex solid is one interval (entry, exit), so the
length that a ray spends in an intersection of solids is exact: no voxels, no sampling along rays.
Lengths are in cm; x points to the left of the patient, y down, z to the front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FAR = np.float32(1e3)  # cm; beyond every solid


@dataclass(frozen=True)
class Interval:
    """Where each ray enters and leaves a solid: two (H, W) arrays; exit < entry means a miss."""

    entry: np.ndarray
    exit: np.ndarray

    def __and__(self, other: Interval) -> Interval:
        return Interval(np.maximum(self.entry, other.entry), np.minimum(self.exit, other.exit))

    def part(self, where: tuple[slice, slice]) -> Interval:
        """The same solid on some rows and columns of the rays."""
        return Interval(self.entry[where], self.exit[where])

    @property
    def length(self) -> np.ndarray:
        """(H, W) cm inside the solid."""
        return np.maximum(self.exit - self.entry, 0)


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """(3, 3) rotation by angles in radians: about y (turning), x (leaning), z (in the image)."""
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


class Projector:
    """Rays through a posed patient.

    Args:
        x: (H, W) horizontal positions of the rays in the detector plane, ascending in a row, cm.
        y: (H, W) vertical positions, ascending in a column, cm.
        pose: (3, 3) rotation of the patient.
        shift: displacement of the patient in the detector plane, cm.
    """

    def __init__(
        self, x: np.ndarray, y: np.ndarray, pose: np.ndarray, shift: Sequence[float] = (0, 0)
    ) -> None:
        self.x = (x - shift[0]).astype(np.float32)
        self.y = (y - shift[1]).astype(np.float32)
        self.pose = pose

    def ellipsoid(
        self, centre: Sequence[float], radii: Sequence[float], turn: np.ndarray | None = None
    ) -> Interval:
        """An ellipsoid given in the patient's frame; ``turn`` rotates its axes there."""
        axes = self.pose if turn is None else self.pose @ turn
        form = (axes / np.square(radii)) @ axes.T
        cx, cy, cz = self.pose @ np.asarray(centre, dtype=np.float64)
        a, b, c = np.float32(form[0, 0]), np.float32(form[1, 1]), np.float32(form[2, 2])
        ab, ac, bc = np.float32(form[0, 1]), np.float32(form[0, 2]), np.float32(form[1, 2])
        dx, dy = self.x - np.float32(cx), self.y - np.float32(cy)
        # c z² + 2 m z + (q − 1) = 0 along the ray, z measured from the centre.
        m = ac * dx + bc * dy
        q = dx * (a * dx + 2 * ab * dy) + b * dy * dy
        inside = m * m - c * (q - 1)
        half = np.sqrt(np.maximum(inside, 0)) / c
        middle = np.float32(cz) - m / c
        return Interval(middle - half, np.where(inside > 0, middle + half, -FAR))

    def patch(self, centre: Sequence[float], reach: float) -> tuple[tuple[slice, slice], Projector]:
        """The rays within ``reach`` cm of a point of the patient: their rows and columns, and they.

        Small solids are drawn on a patch, which is many times faster than on all rays.
        """
        cx, cy, _ = self.pose @ np.asarray(centre, dtype=np.float64)
        left, right = np.searchsorted(self.x[0], (cx - reach, cx + reach))
        top, bottom = np.searchsorted(self.y[:, 0], (cy - reach, cy + reach))
        where = (slice(int(top), int(bottom)), slice(int(left), int(right)))
        return where, self.part(where)

    def part(self, where: tuple[slice, slice]) -> Projector:
        """The rays of some rows and columns."""
        return Projector(self.x[where], self.y[where], self.pose)

    def slab(self, point: Sequence[float], normal: Sequence[float], thickness: float) -> Interval:
        """The space between two parallel planes, ``thickness`` apart, about ``point``."""
        n = self.pose @ (np.asarray(normal, dtype=np.float64) / np.linalg.norm(normal))
        p = self.pose @ np.asarray(point, dtype=np.float64)
        n[2] = n[2] if abs(n[2]) > 1e-3 else 1e-3  # planes along the beam have no finite interval
        height = np.float32(n[0]) * (self.x - np.float32(p[0]))
        height = height + np.float32(n[1]) * (self.y - np.float32(p[1]))
        middle = np.float32(p[2]) - height / np.float32(n[2])
        half = np.float32(abs(thickness / 2 / n[2]))
        return Interval(middle - half, middle + half)
