"""Line integrals through simple solids, in closed form.

A parallel beam runs along z. On each ray a convex solid is one interval (entry, exit), so the
length that a ray spends in an intersection of solids is exact: no voxels, no sampling along rays.
Lengths are in cm; x points to the left of the patient, y down, z to the front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class Interval:
    """Where each ray enters and leaves a solid: two (H, W) arrays; a miss has no length."""

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
        inside = self.exit - self.entry
        return np.maximum(inside, 0, out=inside)

    def length_in(self, other: Interval) -> np.ndarray:
        """(H, W) cm inside both solids: that of ``self & other``, which need not be kept."""
        inside = np.minimum(self.exit, other.exit)
        inside -= np.maximum(self.entry, other.entry)
        return np.maximum(inside, 0, out=inside)


@lru_cache(maxsize=128)  # all images of a patient ask for the same ones
def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """(3, 3) rotation by angles in radians: about y (turning), x (leaning), z (in the image).

    It is shared, and not to be changed.
    """
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turn = about_z @ about_x @ about_y
    turn.flags.writeable = False
    return turn


class Projector:
    """Rays through a posed patient.

    Args:
        x: (W,) ascending positions of the rays across the detector, cm.
        y: (H,) ascending positions down the detector, cm.
        pose: (3, 3) rotation of the patient.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, pose: np.ndarray) -> None:
        self.x = x.reshape(1, -1).astype(np.float32, copy=False)
        self.y = y.reshape(-1, 1).astype(np.float32, copy=False)
        self.pose = pose

    def zeros(self) -> np.ndarray:
        """(H, W) float32 zeros, a number for each ray."""
        return np.zeros((self.y.size, self.x.size), dtype=np.float32)

    def ellipsoid(
        self, centre: Sequence[float], radii: Sequence[float], turn: np.ndarray | None = None
    ) -> Interval:
        """An ellipsoid given in the patient's frame; ``turn`` rotates its axes there."""
        axes = self.pose if turn is None else self.pose @ turn
        form = (axes / np.square(radii)) @ axes.T
        cx, cy, cz = (self.pose @ np.asarray(centre, dtype=np.float64)).astype(np.float32)
        dx, dy = self.x - cx, self.y - cy  # (1, W), (H, 1): most of the work stays on one axis
        # Along a ray f_zz z² + 2 (f_xz dx + f_yz dy) z + f_xx dx² + 2 f_xy dx dy + f_yy dy² = 1.
        (xx, xy, xz), (_, yy, yz), (_, _, zz) = form.astype(np.float32)
        middle = (cz - xz / zz * dx) - yz / zz * dy
        inside = (zz - (zz * xx - xz * xz) * dx**2) - (zz * yy - yz * yz) * dy**2
        inside -= 2 * (zz * xy - xz * yz) * dx * dy
        half = np.sqrt(np.maximum(inside, 0, out=inside), out=inside)
        half /= zz
        return Interval(middle - half, middle + half)

    def patch(self, centre: Sequence[float], reach: float) -> tuple[tuple[slice, slice], Projector]:
        """Choose the rays within ``reach`` cm of a point of the patient: where they are, and they.

        Small solids are drawn on a patch, which is many times faster than on all rays.
        """
        cx, cy, _ = self.pose @ np.asarray(centre, dtype=np.float64)
        left, right = np.searchsorted(self.x[0], (cx - reach, cx + reach))
        top, bottom = np.searchsorted(self.y[:, 0], (cy - reach, cy + reach))
        where = (slice(int(top), int(bottom)), slice(int(left), int(right)))
        return where, self.part(where)

    def part(self, where: tuple[slice, slice]) -> Projector:
        """The rays of some rows and columns."""
        return Projector(self.x[0, where[1]], self.y[where[0], 0], self.pose)

    def slab(self, point: Sequence[float], normal: Sequence[float], thickness: float) -> Interval:
        """The space between two parallel planes, ``thickness`` apart, about ``point``."""
        n = self.pose @ (np.asarray(normal, dtype=np.float64) / np.linalg.norm(normal))
        px, py, pz = (self.pose @ np.asarray(point, dtype=np.float64)).astype(np.float32)
        # Planes along the beam have no finite interval: take them a little askew.
        nz = np.float32(n[2] if abs(n[2]) > 1e-3 else 1e-3)
        nx, ny = n[:2].astype(np.float32)
        middle = (pz - nx / nz * (self.x - px)) - ny / nz * (self.y - py)
        half = np.float32(abs(thickness / 2 / nz))
        return Interval(middle - half, middle + half)
