"""One bad picture is listed, and the rest goes on; images and volumes are not mixed."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import nibabel
import numpy as np
import pytest

RAS = np.diag([1.0, 1.0, 2.0, 1.0])


def nifti(name: str, shape=(6, 7, 8), kind=nibabel.Nifti1Image, seed: int = 0) -> Path:
    path = Path("scans", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.random.default_rng(seed).integers(0, 200, shape).astype(np.int16)
    nibabel.save(kind(voxels, RAS), path)
    return path


def listed(store) -> dict[str, str]:
    record = json.loads((store.path / "prepare.json").read_text())
    return {one["file"]: one["reason"] for one in record["excluded_files"]}


@pytest.mark.parametrize(
    ("form", "offset", "values"),
    [("<12f", 280, [float("nan")] * 12), ("<f", 108, [-1e6]), ("<h", 42, [0]), ("<h", 70, [9999])],
)
def test_a_damaged_volume_is_listed_and_decides_nothing(made, form, offset, values):
    """Not even the size of the others' voxels, and as well when it is made again."""
    for number in range(4):
        nifti(f"{'ab'[number % 2]}/{number}.nii", seed=number)
    bad = Path("scans/a/0.nii")  # the first
    data = bytearray(bad.read_bytes())
    struct.pack_into(form, data, offset, *values)
    bad.write_bytes(data)
    for _ in range(2):
        store = made("folder: ../../scans\nsize: 8\nfile_names: show", force=True)
        assert list(listed(store)) == ["a/0.nii"]
        assert store.images.shape == (3, 3, 8, 8, 8)
        assert store.info.spacing == (2, 2, 2)  # 16 mm in 8 voxels


def test_a_lone_slice_among_volumes_is_left_out_and_not_the_volumes(made):
    for number in range(4):
        nifti(f"{'ab'[number % 2]}/{number}.nii.gz", seed=number)
    nifti("a/00.nii.gz", (6, 7, 1))
    store = made("folder: ../../scans\nsize: 8\nfile_names: show")
    assert store.images.shape == (4, 3, 8, 8, 8)
    assert listed(store) == {
        "a/00.nii.gz": "is an image, and most of the others are volumes: a store holds one kind"
    }


def test_single_slices_are_images(made):
    for number in range(4):
        nifti(f"{'ab'[number % 2]}/{number}.nii.gz", (12, 6, 1), seed=number)
    store = made("folder: ../../scans\nsize: 8\nmodality: xray")
    assert store.images.shape == (4, 1, 8, 8)
    assert store.info.spacing == ()
    assert store.attributes["source_size"].tolist() == ["6x12"] * 4


def test_a_pair_of_header_and_voxels_is_one_volume(made):
    for number in range(4):
        nifti(f"{'ab'[number % 2]}/{number}.hdr", kind=nibabel.Nifti1Pair, seed=number)
    Path("scans/a/9.img").write_bytes(b"\x08\x00" * 200)  # as a DICOM file may begin
    text = "folder: ../../scans\nsize: 8\nfile_names: show"
    store = made(text)
    assert store.images.shape == (4, 3, 8, 8, 8)
    assert list(listed(store)) == ["a/9.img"]
    named = "file,label\na/0.img,x\nb/1.hdr,y\n2,x\n3.img,y\n"
    assert len(made(text + "\ntable: labels.csv", named, force=True)) == 4
    voxels = Path("scans/a/0.img")
    voxels.write_bytes(voxels.read_bytes()[::-1])
    again = made(text, force=True)
    assert again.info.source_fingerprint != store.info.source_fingerprint
