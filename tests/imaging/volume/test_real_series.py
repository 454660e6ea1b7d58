"""The multi-vendor MR series: what is in them was worked out by hand, from their attributes."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from medfl.imaging.volume import find_series, read_stack

ROOT = Path(os.environ.get("MEDFL_DATA", "data")) / "dicom" / "mr-multivendor"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason=f"no MR series at {ROOT}")


@pytest.fixture(scope="module")
def found():
    return find_series(ROOT)


def test_exactly_these_volumes_are_there(found):
    """GE: one series of 150 files, 15 places from -17.6875 mm in steps of 5 mm, ten times.

    Siemens: four series (phase encoding AP, PA, RL, LR) of two mosaics of five slices of 72².
    """
    stacks, exclusions = found
    ge = [stack for stack in stacks if "GE" in str(stack.files[0].parent.parent)]
    siemens = [stack for stack in stacks if stack not in ge]
    assert [(len(s.slices), s.slices[0].shape) for s in ge] == [(15, (64, 64))] * 10
    assert [(len(s.slices), s.slices[0].shape) for s in siemens] == [(5, (72, 72))] * 8
    # Files are numbered through: 15 for the first time point, and so on.
    for k, stack in enumerate(ge):
        numbers = [int(path.stem[-5:]) for path in stack.files]
        assert numbers == list(range(15 * k + 1, 15 * k + 16))
    assert "repetition 10 of 10, by instance number" in ge[9].notes
    assert len({stack.files[0] for stack in siemens}) == 8
    assert sorted(Path(e.file).name for e in exclusions) == [
        "LICENSE",
        *["README-Series.txt"] * 5,
        "README-Study.txt",
        "README.md",
    ]


def test_a_ge_volume_is_simpleitks(found):
    sitk = pytest.importorskip("SimpleITK")
    stack = found[0][3]
    volume = read_stack(stack, canonical=False)
    assert volume.pixels.spacing == pytest.approx((5, 3.75, 3.75), abs=1e-5)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in stack.files])
    image = reader.Execute()
    np.testing.assert_array_equal(volume.pixels.values, sitk.GetArrayFromImage(image))
    for index in ((0, 0, 0), (14, 63, 0), (7, 20, 63)):
        place = image.TransformIndexToPhysicalPoint(index[::-1])
        ras = volume.affine @ [*index, 1]
        np.testing.assert_allclose(ras[:3] * [-1, -1, 1], place, atol=1e-3)


def test_siemens_mosaics_come_apart_as_nibabel_takes_them(found):
    with warnings.catch_warnings(action="ignore"):
        from nibabel.nicom.dicomwrappers import wrapper_from_file
    for stack in found[0][10:]:
        volume = read_stack(stack, canonical=False)
        assert volume.pixels.spacing == pytest.approx((12, 3, 3))
        assert "a Siemens mosaic of 5 tiles, taken apart" in volume.notes
        reference = wrapper_from_file(stack.files[0])
        data = np.asarray(reference.get_data())  # (row, column, slice)
        np.testing.assert_array_equal(volume.pixels.values, data.transpose(2, 0, 1))
        # By hand: the image of 216² at -324 mm holds tiles of 72²; (216 - 72) / 2 · 3 mm = 216 mm.
        corner = volume.affine[:3, 3] * [-1, -1, 1]
        np.testing.assert_allclose(corner, [-108, -108, 16], atol=1e-3)
        np.testing.assert_allclose(volume.affine[:3, 0], [0, 0, 12], atol=1e-6)
        tile = dcmread(stack.files[0]).pixel_array[72:144, 0:72]  # the fourth: second row, first
        np.testing.assert_array_equal(volume.pixels.values[3], tile)
