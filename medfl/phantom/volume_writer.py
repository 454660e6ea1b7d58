"""Writes the synthetic CT volumes as hospitals would export them: DICOM series, NIfTI files."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medfl.files import atomic_path, write_csv, write_text, write_yaml
from medfl.phantom.spread import simulated
from medfl.phantom.volume import CLASSES, SCANNERS, CtScanner, acquire, draw_abdomen
from medfl.phantom.writer import LABELS, NOTICE, RECIPE

VERSION = 2  # raise it whenever the same settings would give other voxels
COLUMNS = ("volume", "patient", "site", "label")
WINDOW = (60, 400)  # centre and width that the files ask for

# Shares of the classes at each site.
PREVALENCE = {
    "SITE-A": (0.45, 0.35, 0.20),
    "SITE-B": (0.30, 0.40, 0.30),
    "SITE-C": (0.25, 0.25, 0.50),
    "SITE-D": (0.34, 0.33, 0.33),
}


@dataclass(frozen=True)
class CtRecipe:
    """What determines every byte of the folder."""

    patients: int = 300
    seed: int = 2025
    version: int = VERSION


def write_phantom3d(folder: Path, recipe: CtRecipe | None = None) -> None:
    """Write a folder or ``.nii.gz`` per patient, ``labels.csv`` and a notice; all or nothing."""
    recipe = recipe or CtRecipe()
    with atomic_path(folder) as temporary:
        (temporary / "volumes").mkdir(parents=True)
        rows = simulated(write_patient, temporary, recipe.seed, recipe.patients)
        write_csv(temporary / LABELS, COLUMNS, rows)
        write_text(temporary / "README.txt", f"{NOTICE}. Made by medfl; see {RECIPE}.\n")
        write_yaml(temporary / RECIPE, {**asdict(recipe), "volumes": len(rows)})


def write_patient(folder: Path, seed: int, number: int) -> dict[str, str]:
    """Simulate one patient, whatever the others are; give the row of ``labels.csv``."""
    rng = np.random.default_rng([seed, number])
    scanner = SCANNERS[int(rng.choice(len(SCANNERS), p=(0.3, 0.3, 0.2, 0.2)))]
    label = CLASSES[int(rng.choice(len(CLASSES), p=PREVALENCE[scanner.site]))]
    values = acquire(draw_abdomen(rng, label), scanner, rng)
    patient = f"PHANTOM3D-{number:05d}"
    name = f"volumes/{patient}" + ("" if scanner.export == "dicom" else ".nii.gz")
    if scanner.export == "dicom":
        _write_series(folder / name, values, scanner, patient, rng)
    else:
        _write_nifti(folder / name, values, scanner)
    return {"volume": name, "patient": patient, "site": scanner.site, "label": label}


def _write_series(
    folder: Path, values: np.ndarray, scanner: CtScanner, patient: str, rng: np.random.Generator
) -> None:
    """Write a file for each slice, numbered by acquisition, which tells nothing about its place."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

    folder.mkdir()
    corner = [-(n - 1) / 2 * step for n, step in zip(scanner.matrix, scanner.spacing, strict=True)]
    shared: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "StudyInstanceUID": _uid(patient, "study"),
        "SeriesInstanceUID": _uid(patient, "series"),
        "ImageType": ["DERIVED", "PRIMARY", "AXIAL"],
        "ImageComments": NOTICE,
        "Modality": "CT",
        "Manufacturer": scanner.manufacturer,
        "StationName": scanner.site,
        "PatientName": "Phantom^Synthetic",
        "PatientID": patient,
        "PatientIdentityRemoved": "YES",
        "BodyPartExamined": "ABDOMEN",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [f"{step:g}" for step in scanner.spacing[1:]],
        "SliceThickness": f"{scanner.spacing[0]:g}",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": scanner.matrix[1],
        "Columns": scanner.matrix[2],
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "RescaleSlope": "1",
        "RescaleIntercept": "-1400",
        "RescaleType": "HU",
        "WindowCenter": str(WINDOW[0]),
        "WindowWidth": str(WINDOW[1]),
    }
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    for keyword, value in shared.items():
        setattr(header, keyword, value)
    for number, k in enumerate(rng.permutation(scanner.matrix[0]), start=1):
        uid = UID(_uid(patient, f"slice {k}"))
        place = corner[0] + k * scanner.spacing[0]
        stored = np.clip(np.rint(values[k] + 1400), 0, 4095).astype("<u2")
        meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = uid
        header.InstanceNumber = number
        header.ImagePositionPatient = [f"{corner[2]:g}", f"{corner[1]:g}", f"{place:g}"]
        header.PixelData = stored.tobytes()
        header.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)


def _write_nifti(path: Path, values: np.ndarray, scanner: CtScanner) -> None:
    """Write 16 bits, with axes in the directions that the site's software prefers."""
    import nibabel
    from nibabel import orientations

    data = np.rint(values).astype(np.int16).transpose(2, 1, 0)  # to the left, the back, the head
    steps = np.array(scanner.spacing[::-1]) * (-1, -1, 1)  # in RAS
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -steps * (np.array(data.shape) - 1) / 2
    image = nibabel.Nifti1Image(data, affine)
    turn = orientations.ornt_transform(
        orientations.io_orientation(affine), orientations.axcodes2ornt(tuple(scanner.export))
    )
    image = image.as_reoriented(turn)
    image.header["descrip"] = NOTICE[:79].encode()
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def _uid(patient: str, level: str) -> str:
    """Make a UID of a hash, under the arc for UUIDs (PS3.5 B.2): the same in every generation."""
    digest = hashlib.sha256(f"medfl phantom3d {patient} {level}".encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"
