"""From a volume's files to the array of a store."""

import nibabel
import numpy as np
import pytest
from dicom_series import write_series

from medfl.errors import MedflError
from medfl.imaging.volume import VolumePreprocessor
from medfl.imaging.volume.preprocess import fit


def test_fit_by_hand():
    row = np.arange(1, 6).reshape(1, 1, 5)
    assert fit(row, (1, 1, 3)).ravel().tolist() == [2, 3, 4]
    assert fit(row, (1, 1, 2)).ravel().tolist() == [2, 3]
    assert fit(row, (1, 1, 8)).ravel().tolist() == [0, 1, 2, 3, 4, 5, 0, 0]
    assert fit(row, (3, 1, 5))[:, 0, 0].tolist() == [0, 1, 0]


@pytest.fixture
def steps(tmp_path):
    """A NIfTI file of 8×8×4 voxels of 1×1×2 mm; HU rise by 10 a slice to the head."""
    data = np.broadcast_to(np.arange(4.0) * 10, (8, 8, 4)).astype(np.float32)
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(data, np.diag([-1.0, -1, 2, 1])), path)
    return path


def test_a_window_and_a_spacing_by_hand(steps):
    # Centre 20.5, width 41: DICOM's LINEAR is black up to 20.5 - ½ - 20 = 0, white from 40.
    image = VolumePreprocessor((4, 8, 8), (2.0, 1.0, 1.0), (20.5, 41))(steps)
    assert image.shape == (1, 4, 8, 8)
    assert image[0, :, 3, 3].tolist() == [0, 64, 128, 191]  # 255 · 0, ¼, ½, ¾, rounded to even
    cut = VolumePreprocessor((2, 10, 8), (2.0, 1.0, 1.0), (20.5, 41))(steps)
    assert cut[0, :, 5, 3].tolist() == [64, 128]
    assert cut[0, :, 0].max() == cut[0, :, 9].max() == 0


def test_without_a_spacing_the_whole_volume_fits(steps):
    """8 mm along every axis: 16 voxels of half a millimetre."""
    image = VolumePreprocessor(16, window=(20.5, 41))(steps)
    assert image.shape == (1, 16, 16, 16)
    assert image[0, 0].max() == 0
    assert image[0, -1].min() == image[0, -1].max() == 191


def test_without_a_window_the_percentiles_of_what_is_no_padding(tmp_path):
    data = np.full((10, 10, 10), 50, np.float32)
    data[:, :, :5] = 20
    data[0] = np.nan
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(data, np.diag([-1.0, -1, 1, 1])), path)
    image = VolumePreprocessor(10)(path)
    assert image[0, :5, :, 1:].max() == 0
    assert image[0, 5:, :, 1:].min() == 255
    assert image[0, :, :, 0].max() == 0


def test_a_folder_or_its_files_give_the_same(tmp_path):
    files = write_series(
        tmp_path, [(0, 0, z) for z in (0, 2, 4, 6)], WindowCenter=1030, WindowWidth=80
    )
    read = VolumePreprocessor(8)
    image = read(tmp_path)
    assert np.array_equal(image, read(tuple(reversed(files))))
    assert len(np.unique(image)) > 20


@pytest.mark.parametrize("count", [0, 2])
def test_not_exactly_one_volume_is_an_error(tmp_path, count):
    for k in range(count):
        write_series(tmp_path / str(k), [(0, 0, 0), (0, 0, 5)], series=f"1.2.{k}")
    if not count:
        (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(MedflError, match=f"hold {count} volumes; one was expected"):
        VolumePreprocessor(8)(tmp_path)
