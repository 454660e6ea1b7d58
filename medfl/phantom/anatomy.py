"""A thorax of ellipsoids and plates: how much it, and its finding, weakens each ray.

Attenuation coefficients are effective values for a filtered 120 kVp beam, per cm: soft tissue and
bone after NIST's tables (Hubbell and Seltzer, NISTIR 5632, around 65 keV; bone as spongy mixture),
lung as soft tissue of a quarter of the density.
"""

from __future__ import annotations

import numpy as np

from medfl.phantom.patient import Patient
from medfl.phantom.projection import Interval, Projector, rotation

SOFT, LUNG, BONE = 0.195, 0.05, 0.36


def line_integral(
    patient: Patient, rays: Projector, inspiration: float, severity: float
) -> np.ndarray:
    """Attenuation along each ray, ∫µ dz, (H, W), dimensionless.

    Args:
        patient: whom to look at.
        rays: the posed beam.
        inspiration: how far the diaphragm is down, cm.
        severity: 0 to 1, how far the finding has gone in this image.
    """
    wide, tall = patient.scale
    traits = patient.traits
    lungs = {side: _lung(patient, rays, side) for side in (-1, 1)}
    domes = {
        side: rays.ellipsoid(
            (side * 7.0 * wide, (15.6 + 0.5 * side + traits["dome"] + inspiration) * tall, 1),
            (7.2 * wide, 8.0, 9.5),
        )
        for side in (-1, 1)
    }
    air = {side: lungs[side].length - lungs[side].length_in(domes[side]) for side in (-1, 1)}
    filled = _inside_lungs(patient, rays, lungs, air)
    aerated = {side: air[side] - filled[side] for side in air}
    mu_lung = LUNG * traits["lung"]
    total = SOFT * _body(patient, rays) + _bones(patient, rays)
    total -= (SOFT - mu_lung) * (aerated[-1] + aerated[1])
    side = patient.side
    return total + _finding(patient, rays, lungs[side], aerated[side], mu_lung, severity)


def _lung(patient: Patient, rays: Projector, side: int, shrink: float = 1.0) -> Interval:
    wide, tall = patient.scale
    depth = patient.traits["depth"] - 2.6
    inward = 1.6 * (1 - shrink)
    return rays.ellipsoid(
        (side * (7.1 - 4 * inward) * wide, (0.2 + 6 * inward) * tall, -0.3),
        (5.3 * wide * shrink, 13.4 * tall * shrink, depth * shrink),
        rotation(roll=side * -0.10 + patient.traits["tilt"] * 0.3),
    )


def _body(patient: Patient, rays: Projector) -> np.ndarray:
    """Thickness of the body, whatever is inside it, (H, W) cm."""
    wide, tall = patient.scale
    fat, depth = patient.traits["fat"], patient.traits["depth"]
    trunk = rays.ellipsoid((0, 10, 0), ((15.6 + fat) * wide, 32, depth + fat))
    neck = rays.ellipsoid((0, -20 * tall, -1), (5.6, 10, 5.6))
    thickness = np.maximum(trunk.length, neck.length)
    for side in (-1, 1):
        turn = rotation(roll=side * 0.45)
        shoulder = rays.ellipsoid((side * 11.5 * wide, -11.0 * tall, -1), (9.5, 5.4, 6.0), turn)
        thickness = np.maximum(thickness, shoulder.length)
        if patient.female:
            breast = rays.ellipsoid((side * 8.0 * wide, 4.0 * tall, depth - 2), (5.8, 5.6, 4.0))
            thickness = thickness + 0.8 * (breast.length - breast.length_in(trunk))
    return thickness


def _inside_lungs(
    patient: Patient, rays: Projector, lungs: dict[int, Interval], air: dict[int, np.ndarray]
) -> dict[int, np.ndarray]:
    """Length, in cm, of soft tissue in the place of lung: heart, aortic arch, hila, vessels."""
    wide, tall = patient.scale
    traits = patient.traits
    size = traits["heart"]
    parts = [
        rays.ellipsoid(
            (2.6 * wide, 5.4 * tall, 3.0),
            (6.6 * size * wide, 4.9 * size * tall, 4.6 * size),
            rotation(roll=traits["heart_axis"]),
        ),
        rays.ellipsoid((2.7 * wide, -5.6 * tall, -1.5), (1.9 * traits["aorta"], 2.1, 3.0)),
        rays.ellipsoid((-1.6 * wide, -3.0 * tall, 1.0), (1.8, 6.0, 2.0)),
    ]
    inside = {}
    for side, lung in lungs.items():
        length = np.sum([part.length_in(lung) for part in parts], axis=0)
        for x, y, z, half, radius, roll, yaw, whose in patient.vessels.tolist():
            if whose != side:
                continue
            middle = (x * wide, y * tall, z)
            where, near = rays.patch(middle, half)
            vessel = near.ellipsoid(middle, (half, radius, radius), rotation(yaw=yaw, roll=roll))
            length[where] += vessel.length_in(lung.part(where))
        # Solids overlap each other and the diaphragm, but they cannot replace more than all air.
        inside[side] = np.minimum(length, air[side])
    return inside


def _bones(patient: Patient, rays: Projector) -> np.ndarray:
    """What bone adds to soft tissue, ∫(µ_bone − µ_soft) dz."""
    wide, tall = patient.scale
    traits = patient.traits
    depth = traits["depth"]
    extra = (BONE - SOFT) * traits["bone"]
    outer = rays.ellipsoid((0, 1, 0), (13.4 * wide, 21 * tall, depth - 0.7))
    inner = rays.ellipsoid((0, 1, 0), (12.7 * wide, 20.3 * tall, depth - 1.4))
    middle = (outer.entry + outer.exit) / 2
    hit = inner.exit > inner.entry
    rear = Interval(outer.entry, np.where(hit, inner.entry, middle))
    front = Interval(np.where(hit, inner.exit, middle), outer.exit)
    bone = rays.zeros()
    centre = int(np.searchsorted(rays.x[0], 0))
    slope = traits["rib_slope"]
    for side, columns in ((-1, slice(0, centre)), (1, slice(centre, None))):
        # Ribs turn to cartilage, which casts no shadow, where they near the breastbone.
        calcified = np.clip((np.abs(rays.x[:, columns]) - 5.0) / 3.0, 0, 1)
        for number in range(10):
            y = (-13.0 + traits["rib_gap"] * number) * tall
            # A rib starts at the spine and descends to the front: only these rows can it reach.
            reach = (y - 2, y + 0.22 * 13.4 * wide + 2 * slope * depth + 2)
            where = (slice(*np.searchsorted(rays.y[:, 0], reach)), columns)
            plate = rays.part(where).slab((0, y, -depth), (side * -0.22, 1.0, -slope), 1.1)
            here = bone[where]
            here += rear.part(where).length_in(plate)
            here += front.part(where).length_in(plate) * calcified
    bone = np.minimum(bone, 2.5)
    spine = rays.ellipsoid((0, 0, -depth + 3.4), (1.9, 60, 1.7)).length
    bone += spine * (0.55 + 0.25 * np.cos(2 * np.pi * rays.y / (2.9 * tall)))
    for side in (-1, 1):
        collar = rotation(roll=side * -0.20, yaw=side * 0.3)
        bone += rays.ellipsoid((side * 8 * wide, -12.6 * tall, 5), (7.4, 0.6, 0.6), collar).length
        blade = rotation(roll=side * -0.15)
        bone += 0.6 * rays.ellipsoid((side * 13 * wide, -7, -8), (2.6, 6.5, 0.5), blade).length
    return extra * bone


def _finding(
    patient: Patient,
    rays: Projector,
    lung: Interval,
    air: np.ndarray,
    mu_lung: float,
    severity: float,
) -> np.ndarray:
    """What the finding adds to ∫µ dz, (H, W); ``air`` is the length of lung with air, cm."""
    wide, tall = patient.scale
    gain = SOFT - mu_lung
    if patient.finding == "mass":
        size = 0.9 + 0.2 * severity
        balls = [
            rays.ellipsoid((x * wide, y * tall, z), (size * r,) * 3) for x, y, z, r in patient.blobs
        ]
        return gain * np.minimum(sum(ball.length_in(lung) for ball in balls), air)
    if patient.finding == "consolidation":
        amount = rays.zeros()
        for x, y, z, sigma in patient.blobs:
            cx, cy, _ = rays.pose @ (x * wide, y * tall, z)
            square = (rays.x - cx) ** 2 + (rays.y - cy) ** 2
            amount += np.exp(-square / (2 * sigma**2)).astype(np.float32)
        # Alveoli fill up and then hold no more: the filled part saturates.
        return gain * air * (1 - np.exp(-(0.26 + 0.20 * severity) * amount))
    if patient.finding == "effusion":
        extent = 0.4 * patient.traits["extent"] + 0.6 * severity
        lateral = np.clip(patient.side * rays.x - 3.0, 0, 10) / 9
        surface = (6.6 - 4.4 * extent) * tall - (1.2 + 2.0 * extent) * lateral**2  # meniscus
        return gain * air * np.clip((rays.y - surface) / 1.2, 0, 1) * (0.65 + 0.3 * extent)
    if patient.finding == "pneumothorax":
        shrink = 0.90 - 0.14 * (0.5 * patient.traits["extent"] + 0.5 * severity)
        collapsed = _lung(patient, rays, patient.side, shrink) & lung
        share = np.minimum(collapsed.length / np.maximum(lung.length, 1e-3), 1)
        denser = mu_lung * min(shrink**-3 - 1, 0.5)  # the same tissue in less space
        return air * (share * denser - (1 - share) * mu_lung)
    return rays.zeros()
