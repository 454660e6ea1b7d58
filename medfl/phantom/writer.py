"""Write the synthetic radiographs as a folder of DICOM files, as a hospital would export them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medfl.files import atomic_path, write_csv, write_text, write_yaml
from medfl.phantom.anatomy import line_integral
from medfl.phantom.patient import CLASSES, Patient, draw_patient
from medfl.phantom.projection import Projector, rotation
from medfl.phantom.scanner import SCANNERS, XraySystem, expose, store_values
from medfl.phantom.spread import simulated

if TYPE_CHECKING:
    from pydicom import FileDataset
    from pydicom.uid import UID

VERSION = 1  # raise it whenever the same settings would give other pixels
LABELS, RECIPE = "labels.csv", "phantom.yaml"
SAMPLES = 80  # rays along the longer side of a detector
NOTICE = "SYNTHETIC: simulated phantom, not a patient"

# Shares of the classes at each site: all alike in kind, a little different in number.
PREVALENCE = {
    "SITE-A": (0.36, 0.18, 0.18, 0.15, 0.13),
    "SITE-B": (0.40, 0.22, 0.14, 0.12, 0.12),
    "SITE-C": (0.30, 0.14, 0.26, 0.18, 0.12),
    "SITE-D": (0.24, 0.12, 0.22, 0.24, 0.18),
}


@dataclass(frozen=True)
class ChestRecipe:
    """What determines every byte of the folder."""

    patients: int = 780
    seed: int = 2024
    version: int = VERSION


def write_phantom(folder: Path, recipe: ChestRecipe | None = None) -> None:
    """Write ``images/<patient>/<image>.dcm``, ``labels.csv`` and a notice; all or nothing."""
    recipe = recipe or ChestRecipe()
    with atomic_path(folder) as temporary:
        patients = simulated(write_radiographs, temporary, recipe.seed, recipe.patients)
        rows = [row for one in patients for row in one]
        write_csv(temporary / LABELS, ("file", "label"), rows)
        write_text(temporary / "README.txt", f"{NOTICE}. Made by medfl; see {RECIPE}.\n")
        write_yaml(temporary / RECIPE, {**asdict(recipe), "images": len(rows)})


def write_radiographs(folder: Path, seed: int, number: int) -> list[dict[str, str]]:
    """Write one patient's images; the rows of ``labels.csv``."""
    rows = []
    for name, label, header in simulate_patient(seed, number):
        file = folder / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        header.save_as(file, enforce_file_format=True)
        rows.append({"file": f"images/{name}", "label": label})
    return rows


def simulate_patient(seed: int, number: int) -> Iterator[tuple[str, str, FileDataset]]:
    """Simulate one patient's images, whatever the others are: file name, class and DICOM data."""
    rng = np.random.default_rng([seed, number])
    scanner = SCANNERS[int(rng.choice(len(SCANNERS), p=(0.35, 0.28, 0.22, 0.15)))]
    finding = CLASSES[int(rng.choice(len(CLASSES), p=PREVALENCE[scanner.site]))]
    patient = draw_patient(rng, finding)
    base = rng.uniform(0, 0.8)
    count = int(rng.choice([1, 2, 3, 4, 5], p=(0.15, 0.2, 0.3, 0.2, 0.15)))
    for image in range(count):
        severity = float(np.clip(base + rng.uniform(0, 0.2), 0, 1))
        signal, exposure = _acquire(patient, scanner, severity, rng)
        identity = (seed, number, image)
        header = _dicom(signal, patient, scanner, exposure, identity)
        name = f"PHANTOM-{number:05d}/{number:05d}-{image}.dcm"
        yield name, finding, header


def _acquire(
    patient: Patient, scanner: XraySystem, severity: float, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Simulate an exposure with its own pose, breath and dose: signal (rows, columns), exposure."""
    height, width = scanner.extent
    fine = max(height, width) / SAMPLES
    rows, columns = round(height / fine), round(width / fine)
    y = (np.arange(rows) + 0.5) * fine - height / 2
    x = (np.arange(columns) + 0.5) * fine - width / 2
    loose = scanner.positioning
    pose = rotation(*(rng.normal(0, loose, 3) * (0.045, 0.040, 0.025)))
    shift = rng.normal(0, loose, 2) * (0.6, 0.6) + (0, 0.8)
    rays = Projector(x - shift[0], y - shift[1], pose)
    inspiration = rng.normal(0.2, 0.7) - 0.8 * (loose - 1)  # shallow when lying in bed
    integral = line_integral(patient, rays, inspiration, severity)
    exposure = float(np.exp(rng.normal(0, 0.25)))
    return expose(integral, scanner, exposure, rng), exposure


def _uid(identity: tuple[int, int, int], level: str) -> UID:
    """Make a UID of a hash, under the arc for UUIDs (PS3.5 B.2): the same in every generation."""
    from pydicom.uid import UID

    digest = hashlib.sha256(f"medfl phantom {identity} {level}".encode()).digest()
    return UID(f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}")


def _dicom(
    signal: np.ndarray,
    patient: Patient,
    scanner: XraySystem,
    exposure: float,
    identity: tuple[int, int, int],
) -> FileDataset:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import (
        ComputedRadiographyImageStorage,
        DigitalXRayImageStorageForPresentation,
        ExplicitVRLittleEndian,
    )

    _, number, image = identity
    stored, intercept, centre, width = store_values(signal, scanner)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = (
        ComputedRadiographyImageStorage
        if scanner.modality == "CR"
        else DigitalXRayImageStorageForPresentation
    )
    meta.MediaStorageSOPInstanceUID = _uid(identity, "image")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    values: dict[str, Any] = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": _uid(identity, "study"),
        "SeriesInstanceUID": _uid(identity, "series"),
        "ImageType": ["DERIVED", "PRIMARY"],
        "ImageComments": NOTICE,
        "Modality": scanner.modality,
        "Manufacturer": scanner.manufacturer,
        "ManufacturerModelName": scanner.model,
        "StationName": scanner.site,
        "InstitutionName": f"Synthetic hospital {scanner.site[-1]}",
        "PatientName": "Phantom^Synthetic",
        "PatientID": f"PHANTOM-{number:05d}",
        "PatientSex": "F" if patient.female else "M",
        "PatientAge": f"{patient.age:03d}Y",
        "PatientIdentityRemoved": "YES",
        "BurnedInAnnotation": "NO",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "AP" if scanner.positioning > 1 else "PA",
        "KVP": "120",
        "RelativeXRayExposure": round(1000 * exposure),
        "InstanceNumber": image + 1,
        "ImagerPixelSpacing": [f"{10 * scanner.pitch:.4g}"] * 2,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": scanner.photometric,
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": 16,
        "BitsStored": scanner.bits,
        "HighBit": scanner.bits - 1,
        "PixelRepresentation": int(scanner.signed),
        "RescaleSlope": f"{scanner.slope:g}",
        "RescaleIntercept": f"{intercept:g}",
        "RescaleType": "US",
        "WindowCenter": f"{centre:.6g}",
        "WindowWidth": f"{max(width, 1):.6g}",
        "PixelData": stored.astype(stored.dtype.newbyteorder("<")).tobytes(),
    }
    for keyword, value in values.items():
        setattr(header, keyword, value)
    return header
