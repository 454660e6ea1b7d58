"""Modalities of one sample in one frame: against SimpleITK, and against values worked by hand."""

import nibabel
import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.imaging.pixels import Pixels
from medfl.imaging.remarks import collecting
from medfl.imaging.volume import Volume, read_nifti, resample
from medfl.imaging.volume.together import Placed, in_one_frame

NAMES = ("t1", "flair")


def placed(values, affine=None, frame="scanner", valid=None):
    spacing = (1.0,) * values.ndim
    if affine is not None:
        spacing = tuple(np.linalg.norm(affine[:3, :3], axis=0)[3 - values.ndim :])
    return Placed(Pixels(values.astype(np.float32), spacing, valid=valid), affine, frame)


def grid(spacing, origin=(0, 0, 0)):
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return affine


def plane(shape, affine):
    """Values that say where they lie: 2x + 3y + 5z, which linear interpolation keeps."""
    places = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    return places @ [2.0, 3.0, 5.0]


def brought(*parts, strict=True):
    with collecting() as remarks:
        pixels, joined = in_one_frame(parts, NAMES, strict)
    return pixels, joined, remarks


def test_values_lie_where_the_reference_has_them():
    first = grid((1, 1, 1), (-4, -4, -4))
    other = grid((4, 2, 2), (-10, -9, -11))
    pixels, joined, remarks = brought(
        placed(plane((8, 8, 8), first), first), placed(plane((6, 10, 11), other), other)
    )
    assert joined
    np.testing.assert_allclose(pixels[1].values, pixels[0].values, atol=1e-4)
    assert pixels[1].spacing == (1, 1, 1)
    assert pixels[1].valid is None
    assert remarks == [
        "`flair` was resampled to the grid of `t1` (linear; voxels of 4×2×2 to 1×1×1 mm)"
    ]


def test_what_lies_outside_of_the_others_field_is_padding():
    first, other = grid((1, 1, 1)), grid((1, 1, 1), (2, 0, 0))
    pixels, _, remarks = brought(
        placed(plane((8, 4, 4), first), first), placed(plane((4, 4, 4), other), other)
    )
    assert np.flatnonzero(pixels[1].valid.all(axis=(1, 2))).tolist() == [2, 3, 4, 5]
    assert not pixels[1].valid[[0, 1, 6, 7]].any()
    np.testing.assert_allclose(pixels[1].values[2:6], pixels[0].values[2:6], atol=1e-5)
    assert remarks[0].endswith("; 50% of it lie outside of its field")


def test_padding_of_the_other_stays_padding():
    first, other = grid((1, 1, 1)), grid((2, 2, 2), (0.5, 0.5, 0.5))
    valid = np.ones((4, 4, 4), bool)
    valid[0] = False
    pixels, _, _ = brought(
        placed(np.zeros((8, 8, 8)), first), placed(np.ones((4, 4, 4)), other, valid=valid)
    )
    assert pixels[1].valid.all(axis=(1, 2)).tolist() == [False] * 2 + [True] * 6


@pytest.mark.parametrize("shift", [0, 1e-4])
def test_pixels_on_the_same_grid_are_not_touched(shift):
    affine = grid((3, 2, 1), (5, 6, 7))
    moved = grid((3, 2, 1), (5 + shift, 6, 7))
    parts = [placed(np.ones((4, 5, 6)), affine), placed(np.ones((4, 5, 6)), moved)]
    pixels, joined, remarks = brought(*parts)
    assert pixels[1] is parts[1].pixels
    assert joined
    assert remarks == []


def test_it_is_simpleitks_resampling_of_oblique_files(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    turn = np.eye(4)
    angle = np.radians(20)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affines = {
        "t1": grid((1, 1, 1), (-8, -9, -7)),
        "flair": turn @ grid((2, 2, 4), (-30, -30, -30)),
    }
    shapes = {"t1": (16, 18, 14), "flair": (30, 31, 15)}
    rng = np.random.default_rng(0)
    for name in NAMES:
        voxels = rng.normal(size=shapes[name]).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(voxels, affines[name]), tmp_path / f"{name}.nii")
    volumes = [read_nifti(tmp_path / f"{name}.nii") for name in NAMES]
    pixels, _, _ = brought(*(Placed(v.pixels, v.affine, v.frame) for v in volumes))
    first, other = (sitk.ReadImage(str(tmp_path / f"{name}.nii")) for name in NAMES)
    expected = sitk.Resample(other, first, sitk.Transform(), sitk.sitkLinear)
    # The file's first axis runs to the right and its second to the front: both are turned.
    theirs = sitk.GetArrayFromImage(expected)[:, ::-1, ::-1]
    np.testing.assert_allclose(pixels[1].values, theirs, atol=1e-4)


def test_coarser_voxels_are_smoothed_as_by_resample():
    affine = grid((1, 1, 1))
    fine = Volume(
        Pixels(np.random.default_rng(0).normal(size=(12, 8, 10)).astype("f4"), (1.0,) * 3), affine
    )
    coarse = resample(fine, 2.0)
    pixels, _, _ = brought(
        placed(np.zeros((6, 4, 5)), coarse.affine), Placed(fine.pixels, affine, "scanner")
    )
    np.testing.assert_allclose(pixels[1].values, coarse.pixels.values, atol=1e-5)


def test_different_frames_are_an_error_or_a_remark():
    affine = grid((1, 1, 1))
    parts = [placed(np.zeros((4, 4, 4)), affine, "1.2"), placed(np.zeros((4, 4, 4)), affine, "1.3")]
    with pytest.raises(MedflError, match="`t1` and `flair` lie in different frames of reference"):
        brought(*parts)
    pixels, joined, remarks = brought(*parts, strict=False)
    assert not joined
    assert pixels[1] is parts[1].pixels
    assert "different frames" in remarks[0]
    assert "1.2" not in remarks[0]


def test_no_common_place_is_an_error():
    with pytest.raises(MedflError, match="`flair` shows no place that `t1` shows"):
        brought(
            placed(np.zeros((4, 4, 4)), grid((1, 1, 1))),
            placed(np.zeros((4, 4, 4)), grid((1, 1, 1), (50, 0, 0))),
        )


@pytest.mark.parametrize(
    ("shapes", "affines", "joined", "words"),
    [
        (((4, 4, 4), (4, 4, 4)), (None, None), True, None),  # arrays of one size
        (((4, 4), (4, 4)), (None, None), True, None),  # pictures of one size
        (((4, 4), (4, 6)), (None, None), False, "differ in size (4×4, 4×6), and not all state"),
        (((4, 4, 4), (4, 4, 4)), (grid((1, 1, 1)),) * 2, True, "state a frame: taken for one grid"),
        (((4, 4, 4), (4, 4, 4)), (grid((1, 1, 1)), None), True, "taken for one grid"),
    ],
)
def test_without_a_frame_one_size_is_one_grid(shapes, affines, joined, words):
    parts = [placed(np.zeros(s), a, "") for s, a in zip(shapes, affines, strict=True)]
    pixels, found, remarks = brought(*parts)
    assert [one is part.pixels for one, part in zip(pixels, parts, strict=True)] == [True, True]
    assert found is joined
    assert [words in one for one in remarks] == ([True] if words else [])


@pytest.mark.parametrize(
    ("shape", "spacing", "words"),
    [((4, 4, 6), (1, 1, 1), "differ in size"), ((4, 4, 4), (1, 1, 2), "voxels of different sizes")],
)
def test_volumes_of_several_sizes_without_a_frame_are_an_error(shape, spacing, words):
    parts = [
        placed(np.zeros((4, 4, 4)), grid((1, 1, 1)), ""),
        placed(np.zeros(shape), grid(spacing), ""),
    ]
    with pytest.raises(MedflError, match=words):
        brought(*parts)
    _, joined, remarks = brought(*parts, strict=False)
    assert not joined
    assert words in remarks[0]


@pytest.mark.parametrize(("depth", "good"), [(0, True), (2.0, True), (9, False)])
def test_single_slices_are_one_image_where_they_lie_in_one_plane(depth, good):
    """Slices 5 mm thick; the plane's own gradient is kept, across it there is nothing."""
    first, other = grid((5, 1, 1)), grid((5, 2, 2), (depth, -3, -3))
    parts = [
        placed(plane((1, 6, 7), first)[0], first),
        placed(plane((1, 8, 8), other)[0] - 2 * depth, other),
    ]
    if not good:
        with pytest.raises(MedflError, match="shows no place"):
            brought(*parts)
        return
    pixels, joined, remarks = brought(*parts)
    assert joined
    assert pixels[1].spacing == (1, 1)
    np.testing.assert_allclose(pixels[1].values, pixels[0].values, atol=1e-4)
    assert len(remarks) == 1
