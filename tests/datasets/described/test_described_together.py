"""Several modalities per sample: in one frame, or said, for every kind of file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar
from zlib import crc32

import nibabel
import numpy as np
import pytest
from PIL import Image

from medfl import CustomMedicalDataset, MedicalDataLoader
from medfl.datasets.described.decode import cropped_alike
from medfl.imaging.modality import preprocess_for
from medfl.imaging.pixels import Pixels
from tests.dicom_series import write_slice

TEXT = """
folder: ../../scans
size: 16
file_names: show
preprocess: {intensity: full}
labels: {level: 1}
"""
BALL, RADIUS = np.array([2.0, 3.0, -1.0]), 4.0


def ball(places: np.ndarray) -> np.ndarray:
    """100, and 600 within a ball at one place of the patient (RAS+ mm)."""
    return 100 + 500 * (np.linalg.norm(places - BALL, axis=-1) < RADIUS)


def nifti(path: Path, shape, spacing, codes=(1, 0), change: int = 0) -> None:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -np.array(spacing) * (np.array(shape) - 1) / 2
    places = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    image = nibabel.Nifti1Image(ball(places).astype(np.int16) + change, affine)
    image.set_sform(affine if codes[0] else None, codes[0])
    image.set_qform(affine if codes[1] else None, codes[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)


def series(folder: Path, height: float, spacing: float, frame: str, size: int) -> None:
    """Axial slices of the ball, whose x and y run against RAS."""
    for number in range(int(24 / height)):
        z = -12 + height * (number + 0.5)
        corner = -spacing * (size - 1) / 2
        r, c = np.indices((size, size))
        x, y = corner + c * spacing, corner + r * spacing
        values = ball(np.stack([-x, -y, np.full_like(x, z, dtype=float)], axis=-1))
        write_slice(
            folder / f"{number:02}.dcm",
            (corner, corner, z),
            spacing=(spacing, spacing),
            values=values.astype(float),
            series=f"1.2.{crc32(folder.as_posix().encode())}",
            InstanceNumber=number,
            Modality="MR",
            PatientID=folder.parent.name,
            **({"FrameOfReferenceUID": frame} if frame else {}),
        )


def centres(image: np.ndarray) -> list[np.ndarray]:
    return [np.argwhere(one > 0.5 * one.max()).mean(axis=0) for one in image.astype(float)]


def record(store) -> dict:
    return json.loads((store.path / "prepare.json").read_text())


PATTERNS = "modalities: {t1: '*/{id}/t1.nii', flair: '*/{id}/flair.nii'}\n"


def test_files_of_nifti_are_resampled_and_it_is_said(made):
    for number in range(4):
        folder = Path("scans", "ab"[number % 2], str(number))
        nifti(folder / "t1.nii", (24, 24, 24), (1, 1, 1), change=number)
        nifti(folder / "flair.nii", (24, 24, 12), (2, 2, 4), change=number)
    store = made(TEXT + PATTERNS)
    assert store.images.shape == (4, 6, 16, 16, 16)
    first, other = centres(store.images[0][[0, 3]])
    np.testing.assert_allclose(first, other, atol=0.25)
    # In mm from the middle, in voxels of 1.5 mm: up, back, left.
    np.testing.assert_allclose((first - 7.5) * 1.5, [-1, -3, -2], atol=0.5)
    assert store.info.spacing == (1.5, 1.5, 1.5)
    assert "resampled to the voxels of `t1`" in store.info.notes
    remarks = record(store)["remarks"].values()
    assert [len(one) for one in remarks] == [1] * 4
    ignored = made(TEXT + PATTERNS + "frames: ignore", force=True)
    first, other = centres(ignored.images[0][[0, 3]])
    assert abs(first - other).max() > 0.9
    assert record(ignored)["remarks"] == {}
    assert "stacked as they are stored" in ignored.info.notes
    assert ignored.info.spacing == ()


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ((4, 0), "`t1` and `flair` lie in different frames of reference"),
        ((0, 0), "`t1` and `flair` differ in size (24×24×24, 12×24×24), and not all state a frame"),
    ],
)
def test_volumes_that_cannot_be_brought_together_are_left_out(made, codes, reason):
    for number in range(4):
        folder = Path("scans", "ab"[number % 2], str(number))
        nifti(folder / "t1.nii", (24, 24, 24), (1, 1, 1))
        good = number > 1
        nifti(folder / "flair.nii", (24, 24, 12), (2, 2, 4), (1, 0) if good else codes)
    store = made(TEXT + PATTERNS)
    assert len(store) == 2
    left = record(store)["excluded_files"]
    assert [one["reason"].startswith(reason) for one in left] == [True, True]
    late = made(TEXT + PATTERNS + "fusion: late", force=True)
    assert len(late) == 4
    assert sum(any(reason in text for text in one) for one in record(late)["remarks"].values()) == 2


@pytest.mark.parametrize(("frames", "kept"), [("1.2.77 1.2.77", 2), ("1.2.77 1.2.88", 0), (" ", 0)])
def test_dicom_series_are_in_one_frame_by_their_frame_of_reference(made, frames, kept):
    one, other = frames.split(" ")
    rows = []
    for number in range(4):
        folder = Path("scans", f"p{number}")
        same = ("1.2.99", "1.2.99") if number > 1 else (one, other)
        series(folder / "t1", 2, 1, same[0], 24)
        series(folder / "flair", 4, 2, same[1], 16)
        rows.append(f"p{number}/t1,p{number}/flair,{'ab'[number % 2]}")
    text = (
        "folder: ../../scans\nformat: dicom-series\nsize: 12\nfile_names: show\ntable: labels.csv\n"
        "columns: {file: {t1: t1, flair: flair}}\npreprocess: {intensity: full}\n"
    )
    store = made(text, "t1,flair,label\n" + "\n".join(rows))
    assert len(store) == 2 + kept
    for image in store.images:
        first, second = centres(image[[0, 1]])
        np.testing.assert_allclose(first, second, atol=0.5)
        np.testing.assert_allclose((first - 5.5) * 2, [-1, -3, -2], atol=0.6)
    text = (store.path / "prepare.json").read_text() + store.info.notes
    assert not any(uid in text for uid in ("1.2.77", "1.2.88", "1.2.99"))


def test_single_dicom_slices_are_resampled_in_their_plane(made):
    """Three millimetres of slice apart are one plane of 4 mm; 30 mm are not."""
    rows = []
    for number in range(4):
        folder = Path("scans", f"p{number}")
        for name, spacing, size, z in (("t1", 1, 32, 0), ("t2", 2, 24, 1 if number > 1 else 30)):
            corner = -spacing * (size - 1) / 2
            r, c = np.indices((size, size))
            x, y = corner + c * spacing, corner + r * spacing
            places = np.stack([-x, -y, np.full_like(x, BALL[2], dtype=float)], axis=-1)
            write_slice(
                folder / f"{name}.dcm",
                (corner, corner, z),
                spacing=(spacing, spacing),
                values=ball(places).astype(float),
                series=f"1.{number}.{size}",
                SliceThickness="4",
                FrameOfReferenceUID=f"1.2.{number}",
                Modality="MR",
                PatientID=f"P{number}",
            )
        rows.append(f"p{number},{'ab'[number % 2]}")
    text = (
        "folder: ../../scans\nsize: 32\nfile_names: show\ntable: labels.csv\nmodality: mri\n"
        "preprocess: {intensity: full}\nmodalities: {t1: '{id}/t1.dcm', t2: '{id}/t2.dcm'}\n"
    )
    store = made(text, "id,label\n" + "\n".join(rows))
    assert store.images.shape == (2, 2, 32, 32)
    first, other = centres(store.images[0])
    np.testing.assert_allclose(first, other, atol=0.2)
    np.testing.assert_allclose(first - 15.5, -BALL[1::-1], atol=0.3)
    reasons = {one["reason"] for one in record(store)["excluded_files"]}
    assert [one.startswith("`t2` shows no place that `t1` shows") for one in reasons] == [True]


def test_pictures_of_several_sizes_are_fitted_by_themselves_and_it_is_said(made):
    for number in range(4):
        for name, size in (("photo", (20, 30)), ("scope", (16, 16))):
            pixels = np.random.default_rng(number).integers(0, 255, size).astype(np.uint8)
            path = Path("scans", "ab"[number % 2], str(number), f"{name}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    text = TEXT + "modalities: {photo: '*/{id}/photo.png', scope: '*/{id}/scope.png'}\n"
    store = made(text)
    assert len(store) == 4
    remarks = list(record(store)["remarks"].values())
    assert len(remarks) == 4
    assert "differ in size (20×30, 16×16)" in remarks[0][0]
    assert "each is fitted by itself" in remarks[0][0]
    assert record(made(text + "fusion: late", force=True))["remarks"] == {}


class Pairs(CustomMedicalDataset):
    """Files and arrays of two modalities."""

    modality = "mri"
    size = 16
    preprocess: ClassVar = {"intensity": "full"}

    def load_data(self):
        for number in range(4):
            folder = Path("scans", str(number)).absolute()
            nifti(folder / "t1.nii", (24, 24, 24), (1, 1, 1), change=number)
            nifti(folder / "flair.nii", (24, 24, 12), (2, 2, 4), change=number)
            files = {name: folder / f"{name}.nii" for name in ("t1", "flair")}
            array = {**files, "flair": np.zeros((12, 24, 24))}
            yield {"image": array if number == 3 else files, "label": "ab"[number % 2]}


def test_a_class_of_ones_own_gets_the_same(place):
    store = MedicalDataLoader(Pairs()).prepare()
    np.testing.assert_allclose(*centres(store.images[0]), atol=0.25)
    assert len(store) == 3  # an array states no frame, and is of another size
    assert "differ in size" in record(store)["excluded_files"][0]["reason"]
    Pairs.frames = "ignore"
    try:
        assert len(MedicalDataLoader(Pairs()).prepare(force=True)) == 4
    finally:
        Pairs.frames = "stated"


def test_modalities_of_one_grid_lose_the_same_margins():
    """Rows 2 to 7 of one, 4 to 9 of the other: both keep rows 2 to 9."""
    pictures = np.zeros((2, 12, 12), np.float32)
    pictures[0, 2:8, 1:11] = np.random.default_rng(0).uniform(50, 200, (6, 10))
    pictures[1, 4:10, 3:12] = np.random.default_rng(1).uniform(50, 200, (6, 9))
    settings = (preprocess_for("xray"), preprocess_for("xray"))
    pixels, without = cropped_alike([Pixels(one) for one in pictures], settings)
    np.testing.assert_array_equal(pixels[0].values, pictures[0, 2:10, 1:12])
    np.testing.assert_array_equal(pixels[1].values, pictures[1, 2:10, 1:12])
    assert not any(one.crop_borders for one in without)
    whole = (settings[0], preprocess_for("xray", {"crop_borders": False}))
    pixels, _ = cropped_alike([Pixels(one) for one in pictures], whole)
    assert [one.values.shape for one in pixels] == [(12, 12)] * 2
