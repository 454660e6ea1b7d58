"""X-ray systems turn line integrals into the numbers that they store.

Signal = primary (Beer–Lambert) + scatter, blurred by the detector, counted with Poisson noise
and electronic noise, then the system's own response. The effective number of quanta per pixel
stands for that of a small pixel of a real detector: the reduced matrix samples the image, it does
not bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class XraySystem:
    """One radiography system at one site.

    Attributes:
        site: name of the site (DICOM StationName).
        manufacturer, model: fictitious; DICOM Manufacturer and ManufacturerModelName.
        matrix: rows and columns.
        pitch: pixel spacing, cm.
        blur: standard deviation of the detector's point spread, cm.
        quanta: detected quanta per pixel without a patient at nominal exposure.
        electronic: standard deviation of electronic noise, quanta.
        scatter: scatter-to-primary ratio behind the anti-scatter grid.
        response: ``log`` stores attenuation, ``linear`` the signal itself.
        gamma: exponent of the response curve after scaling to [0, 1].
        bits: bits stored.
        signed: two's complement, with a rescale intercept.
        slope: rescale slope.
        window: width of the window that is written, relative to the range behind the patient.
        positioning: standard deviation of the pose, relative to a standing patient.
        modality: DX (digital radiography) or CR (storage phosphor).
    """

    site: str
    manufacturer: str
    model: str
    matrix: tuple[int, int]
    pitch: float
    blur: float
    quanta: float
    electronic: float
    scatter: float
    response: Literal["log", "linear"]
    gamma: float
    bits: int
    signed: bool = False
    slope: float = 1.0
    window: float = 1.0
    positioning: float = 1.0
    modality: Literal["DX", "CR"] = "DX"

    @property
    def photometric(self) -> str:
        """MONOCHROME1 where the stored signal grows with exposure: dense tissue has low values."""
        return "MONOCHROME1" if self.response == "linear" else "MONOCHROME2"

    @property
    def extent(self) -> tuple[float, float]:
        """Height and width of the detector, cm."""
        return self.matrix[0] * self.pitch, self.matrix[1] * self.pitch


SCANNERS = (
    XraySystem(
        "SITE-A", "Synthetic Imaging A", "Flat panel", (72, 72), 0.45, 0.20,
        9000, 4, 0.25, "log", 1.0, 12,
    ),
    XraySystem(
        "SITE-B", "Synthetic Imaging B", "Direct panel", (80, 80), 0.40, 0.14,
        4500, 6, 0.35, "linear", 0.45, 14, window=1.1,
    ),
    XraySystem(
        "SITE-C", "Synthetic Imaging C", "Storage phosphor", (64, 64), 0.52, 0.42,
        6000, 3, 0.30, "log", 0.7, 12, slope=0.5, window=1.35, modality="CR",
    ),
    XraySystem(
        "SITE-D", "Synthetic Imaging D", "Mobile", (64, 72), 0.48, 0.28,
        3000, 8, 0.75, "log", 1.7, 16, signed=True, window=0.9, positioning=2.0,
    ),
)  # fmt: skip


def expose(
    integral: np.ndarray, scanner: XraySystem, exposure: float, rng: np.random.Generator
) -> np.ndarray:
    """Simulate the detected signal, relative to the open beam, at the scanner's matrix.

    Args:
        integral: (H, W) line integrals over the detector's area, finer than its matrix.
        scanner: the system.
        exposure: relative to nominal; more exposure, less noise.
        rng: draws the noise.

    Returns:
        (rows, columns) float64 > 0; 1 is the open beam at nominal exposure.
    """
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    fine = scanner.extent[0] / integral.shape[0]
    primary = np.exp(-integral.astype(np.float32))
    # Scatter is the primary spread over several centimetres; a coarse grid is enough.
    coarse = primary[::4, ::4]
    spread = gaussian_filter(coarse, 5.0 / (4 * fine), mode="nearest")
    scatter = np.asarray(Image.fromarray(spread).resize(primary.shape[::-1], 2))
    signal = primary + scanner.scatter * scatter
    signal = gaussian_filter(signal, scanner.blur / fine, mode="nearest", truncate=3)
    rows, columns = scanner.matrix
    signal = np.asarray(Image.fromarray(signal).resize((columns, rows), Image.Resampling.BOX))
    # The anode's heel: the beam weakens towards one edge.
    heel = 1 + 0.12 * np.linspace(-1, 1, rows)[:, None]
    quanta = signal * heel * scanner.quanta * exposure
    counted = rng.poisson(quanta) + rng.normal(0, scanner.electronic, quanta.shape)
    return np.maximum(counted, 1) / scanner.quanta


def store_values(signal: np.ndarray, scanner: XraySystem) -> tuple[np.ndarray, float, float, float]:
    """Do the system's processing: stored integers, and what turns them into its units.

    Args:
        signal: (rows, columns) relative signal from ``expose``.
        scanner: the system.

    Returns:
        stored (rows, columns) uint16 or int16; rescale intercept; window centre and width in
        rescaled units.
    """
    value = -np.log(signal) if scanner.response == "log" else signal
    # A system sets its range by the exposure that it finds, not by the nominal one.
    low, high = np.quantile(value, (0.005, 0.995))
    level = np.clip((value - low) / (high - low) * 0.9 + 0.05, 0, 1) ** scanner.gamma
    top = 2**scanner.bits - 1
    integers = np.rint(level * top).astype(np.int64)
    intercept = 0.0
    if scanner.signed:
        half = 2 ** (scanner.bits - 1)
        integers, intercept = integers - half, half * scanner.slope
    stored = integers.astype(np.int16 if scanner.signed else np.uint16)
    # The window leaves out what was hit by the open beam, as systems do.
    behind = stored[signal < 0.5 * np.quantile(signal, 0.995)]
    dark, bright = np.quantile(behind * scanner.slope + intercept, (0.01, 0.97))
    return stored, intercept, float((dark + bright) / 2), float((bright - dark) * scanner.window)
