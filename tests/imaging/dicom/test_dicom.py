"""Real DICOM bytes are written and read; windows are compared with pydicom's own."""

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels import apply_windowing
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from medfl.errors import MedflError
from medfl.imaging.dicom import DicomPreprocessor, read_header
from medfl.imaging.windows import apply_window


def write(path, stored, **values):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    stored = np.asarray(stored)
    bits = 8 * stored.dtype.itemsize
    fields = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": "1.2.3",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "PixelData": stored.tobytes(),
    }
    fields |= values
    fields["HighBit"] = fields["BitsStored"] - 1
    for key, value in fields.items():
        if value is not None:
            setattr(file, key, value)
    file.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.dcm"


def test_signed_16_bit_with_rescale_is_in_modality_units(path):
    stored = np.array([[-1000, 0], [24, 3000]], np.int16)
    write(path, stored, RescaleSlope="2", RescaleIntercept="-24")
    image = DicomPreprocessor().read(path)
    assert image.pixels.dtype == np.float32
    np.testing.assert_array_equal(image.pixels, [[-2024, -24], [24, 5976]])


def test_window_of_the_file_by_hand(path):
    # LINEAR, centre 50.5, width 101: 0 and below are black, 100 and above are white.
    write(
        path,
        np.array([[0, 25], [50, 200]], np.uint16),
        BitsStored=12,
        WindowCenter="50.5",
        WindowWidth="101",
    )
    np.testing.assert_array_equal(DicomPreprocessor()(path), [[[0, 64], [128, 255]]])


def test_monochrome1_is_the_mirror_of_monochrome2(path):
    stored = np.arange(64, dtype=np.uint16).reshape(8, 8) * 60
    window = {"BitsStored": 12, "WindowCenter": "1800", "WindowWidth": "3000"}
    write(path, stored, **window)
    plain = DicomPreprocessor()(path)
    write(path, stored, PhotometricInterpretation="MONOCHROME1", **window)
    inverted = DicomPreprocessor()(path)
    assert np.abs(255 - plain.astype(int) - inverted).max() <= 1  # rounding of halves
    assert inverted[0, 0, 0] == 255


def test_a_given_window_replaces_the_files(path):
    stored = np.array([[-1000, -160], [40, 240]], np.int16)
    write(path, stored, WindowCenter="-600", WindowWidth="1500")
    soft = DicomPreprocessor(window=(40, 400))(path)
    np.testing.assert_array_equal(soft, np.rint(255 * apply_window(stored, 40, 400))[None])
    assert soft[0, 0].tolist() == [0, 0]
    assert soft[0, 1, 1] == 255
    with pytest.raises(MedflError, match="width of the window must be positive"):
        DicomPreprocessor(window=(40, 0))
    with pytest.raises(MedflError, match="a window must be two finite numbers"):
        DicomPreprocessor(window=(float("nan"), 400))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_agree_with_pydicom(function):
    values = np.arange(0, 4096, 7, dtype=np.uint16).reshape(1, -1)
    header = Dataset()
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsStored = 12
    header.PixelRepresentation = 0
    header.WindowCenter, header.WindowWidth = "1500.5", "1001"
    header.VOILUTFunction = function
    expected = apply_windowing(values, header) / 4095
    ours = apply_window(values, 1500.5, 1001, function)
    np.testing.assert_allclose(ours, expected, atol=1e-9)


def test_first_of_several_windows(path):
    stored = np.array([[0, 100]] * 2, np.uint16)
    write(path, stored, WindowCenter=["50.5", "9"], WindowWidth=["101", "2"])
    assert DicomPreprocessor()(path)[0, 0].tolist() == [0, 255]


def test_voi_lut_table(path):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4, 10, 8])
    item.add_new("LUTData", "US", [0, 51, 102, 255])
    stored = np.array([[9, 10], [11, 13], [12, 99]], np.uint16)
    write(path, stored, VOILUTSequence=Sequence([item]))
    image = DicomPreprocessor().read(path)
    levels = 255 * DicomPreprocessor().display(image)[0]
    np.testing.assert_allclose(levels, [[0, 0], [51, 255], [102, 255]])


def test_without_a_window(path):
    # 8 bits: as stored. More bits: the 0.5th to 99.5th percentile.
    eight = np.array([[10, 20], [30, 40]], np.uint8)
    write(path, eight)
    np.testing.assert_array_equal(DicomPreprocessor()(path)[0], eight)
    deep = np.arange(10000, dtype=np.uint16).reshape(100, 100)
    write(path, deep)
    levels = DicomPreprocessor()(path)[0].ravel()
    low, high = np.percentile(deep, (0.5, 99.5))
    expected = np.rint(np.clip((deep.ravel() - low) / (high - low), 0, 1) * 255)
    np.testing.assert_array_equal(levels, expected)


def test_padding_value_does_not_stretch_the_range(path):
    stored = np.full((20, 20), -2000, np.int16)
    stored[5:15, 5:15] = np.arange(100).reshape(10, 10)
    write(path, stored, PixelPaddingValue=-2000)
    assert np.ptp(DicomPreprocessor()(path)[0, 5:15, 5:15]) == 255


def test_a_constant_image_is_black(path):
    write(path, np.full((4, 4), 700, np.uint16))
    assert not DicomPreprocessor()(path).any()


def test_colour(path):
    colour = np.zeros((4, 4, 3), np.uint8)
    colour[..., 0], colour[..., 1] = 200, 100
    write(
        path,
        colour,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="RGB",
    )
    image = DicomPreprocessor(channels=3)(path)
    assert image.shape == (3, 4, 4)
    assert [int(c.mean()) for c in image] == [200, 100, 0]
    luminance = round(0.299 * 200 + 0.587 * 100)
    assert np.abs(DicomPreprocessor()(path).astype(int) - luminance).max() <= 1


def test_resized_padded_and_repeated(path):
    write(path, np.full((8, 16), 200, np.uint8))
    image = DicomPreprocessor(8, channels=3)(path)
    assert image.shape == (3, 8, 8)
    np.testing.assert_array_equal(image[0, :, 0], [0, 0, 200, 200, 200, 200, 0, 0])


def test_pixels_that_are_not_square_are_made_so(path):
    write(path, np.full((8, 16), 200, np.uint8), PixelSpacing=["2", "1"])
    assert DicomPreprocessor()(path).shape == (1, 16, 16)


def test_bad_files_are_named_with_the_reason(path, tmp_path):
    with pytest.raises(MedflError, match=r"none\.dcm does not exist"):
        DicomPreprocessor()(tmp_path / "none.dcm")
    path.write_bytes(b"not dicom at all" * 100)
    with pytest.raises(MedflError, match=r"a\.dcm is not a DICOM file"):
        DicomPreprocessor()(path)
    path.write_bytes(b"")
    with pytest.raises(MedflError, match=r"a\.dcm is (not|a damaged) "):
        DicomPreprocessor()(path)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.95])
def test_truncated(path, kept):
    write(path, np.arange(4096, dtype=np.uint16).reshape(64, 64))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(MedflError, match=r"a\.dcm"):
        DicomPreprocessor()(path)


def test_no_image_and_several_frames(path):
    write(path, np.zeros((4, 4), np.uint8), PixelData=None)
    with pytest.raises(MedflError, match="holds no image"):
        DicomPreprocessor()(path)
    write(path, np.zeros((4, 4), np.uint8), NumberOfFrames=3)
    with pytest.raises(MedflError, match="holds 3 frames"):
        DicomPreprocessor()(path)
    write(path, np.zeros((4, 4), np.uint8), PhotometricInterpretation=None)
    with pytest.raises(MedflError, match="cannot be decoded"):
        DicomPreprocessor()(path)


def test_real_radiographs(real_data):
    files = sorted((real_data / "dicom" / "chest-xray").glob("*.dcm"))
    if not files:
        pytest.skip("no dicom/chest-xray under the test data")
    for file in files:
        image = DicomPreprocessor(64)(file)
        assert image.shape == (1, 64, 64)
        assert np.ptp(image) > 150
        # The spine lies between the lungs and absorbs more: it is brighter.
        lungs = (image[0, 15:35, 10:20].mean() + image[0, 15:35, 44:54].mean()) / 2
        assert image[0, 15:35, 28:36].mean() > lungs, file.name


def test_real_magnetic_resonance(real_data):
    files = sorted((real_data / "dicom" / "mr-multivendor").rglob("*"))
    files = [file for file in files if file.is_file() and file.suffix in ("", ".dcm", ".IMA")]
    images = [file for file in files if file.read_bytes()[128:132] == b"DICM"][:12]
    if not images:
        pytest.skip("no dicom/mr-multivendor under the test data")
    for file in images:
        assert read_header(file).Modality == "MR"
        assert DicomPreprocessor(32)(file).shape == (1, 32, 32)
