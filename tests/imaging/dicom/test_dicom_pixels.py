"""What decoded values mean: tables, padding, overlays, frames, borders; expectations by hand."""

import numpy as np
import pytest
from dicoms import dataset, write
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medfl.errors import MedflError
from medfl.imaging.dicom import DicomError, DicomPreprocessor, attribute, frame_header, read_header
from medfl.imaging.dicom.regions import tissue_regions


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.dcm"


def item(**values):
    made = Dataset()
    for key, value in values.items():
        setattr(made, key, value)
    return made


def table(descriptor, data, vr="US"):
    made = Dataset()
    made.add_new("LUTDescriptor", "US", descriptor)
    made.add_new("LUTData", vr, data)
    return made


def test_several_windows_become_channels(path):
    # Hounsfield units -1350 and 150 are the ends of lung (-600, 1500), -160 and 240 those of soft
    # tissue (40, 400), 0 and 80 those of brain (40, 80).
    stored = np.array([[-1500, -1350], [150, 240], [0, 80]], np.int16)
    write(path, stored)
    image = DicomPreprocessor(windows=["lung", "soft_tissue", (40, 80)])(path)
    assert image.shape == (3, 3, 2)
    assert image.dtype == np.uint8
    assert image[0].tolist() == [[0, 0], [255, 255], [230, 243]]
    assert image[1].tolist() == [[0, 0], [198, 255], [102, 153]]
    assert image[2].tolist() == [[0, 0], [255, 255], [0, 255]]
    np.testing.assert_array_equal(DicomPreprocessor(window="lung")(path)[0], image[0])


def test_impossible_windows(path):
    with pytest.raises(MedflError, match="either `windows`"):
        DicomPreprocessor(windows=["lung"], window="lung")
    with pytest.raises(MedflError, match="must be a list"):
        DicomPreprocessor(windows="lung")
    with pytest.raises(MedflError, match="did you mean `lung`"):
        DicomPreprocessor(windows=["lungs"])
    write(path, np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DicomError, match="colour image"):
        DicomPreprocessor(windows=["lung"])(path)


def test_overlay_bits_above_the_stored_ones_are_taken_off(path):
    plain = np.array([[0, 100], [2000, 4095]], np.uint16)
    overlay = np.array([[0x8000, 0xF000], [0, 0x1000]], np.uint16)
    write(path, plain | overlay, BitsStored=12)
    np.testing.assert_array_equal(DicomPreprocessor().read(path).pixels, plain)
    signed = np.array([[-2048, -1], [0, 2047]], np.int16)
    dirty = (signed.view(np.uint16) & 0x0FFF) | overlay
    write(path, dirty.view(np.int16), BitsStored=12)
    np.testing.assert_array_equal(DicomPreprocessor().read(path).pixels, signed)


def test_padding_is_not_valid_and_does_not_set_the_range(path):
    stored = np.arange(100, dtype=np.int16).reshape(10, 10)
    stored[:3] = -2000
    file = dataset(stored, RescaleSlope="1", RescaleIntercept="-1024")
    file.add_new("PixelPaddingValue", "US", 63536)  # -2000, as some scanners write it
    file.save_as(path, enforce_file_format=True)
    pixels = DicomPreprocessor().pixels(path)
    assert not pixels.valid[:3].any()
    assert pixels.valid[3:].all()
    assert pixels.values[3, 0] == 30 - 1024
    shown = DicomPreprocessor().display(pixels)[0]
    low, high = np.percentile(stored[3:], (0.5, 99.5))
    expected = np.clip((stored[3:] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(shown[3:], expected, atol=1e-6)
    write(path, stored, PixelPaddingValue=-2000, PhotometricInterpretation="MONOCHROME1")
    assert not DicomPreprocessor()(path)[0, :3].any()  # black, though the lowest is shown white
    write(path, stored, PixelPaddingValue=30, PixelPaddingRangeLimit=49)
    np.testing.assert_array_equal(
        DicomPreprocessor().pixels(path).valid, (stored < 30) | (stored > 49)
    )
    write(path, stored, PixelPaddingValue=-1)
    assert DicomPreprocessor().pixels(path).valid is None


def test_padding_that_needs_the_bits_above_the_stored_ones(path):
    stored = np.array([[0xF830, 0x0830], [5, 6]], np.uint16)  # equal in the lower 12 bits
    write(path, stored, BitsStored=12, PixelPaddingValue=0xF830)
    pixels = DicomPreprocessor().pixels(path)
    assert pixels.valid.tolist() == [[False, True], [True, True]]
    assert pixels.values[0, 1] == 0x0830


def test_an_image_of_padding_only_is_black(path):
    write(path, np.full((4, 4), 9, np.int16), PixelPaddingValue=9)
    assert not DicomPreprocessor()(path).any()


@pytest.mark.parametrize("syntax", ["explicit", "big"])
@pytest.mark.parametrize("vr", ["US", "OW"])
def test_modality_table(path, syntax, vr):
    entries = [7, 70, 700, 4000]
    order = ">u2" if syntax == "big" else "<u2"
    data = entries if vr == "US" else np.array(entries, order).tobytes()
    lut = table([4, 10, 12], data, vr)
    stored = np.array([[0, 10], [11, 12], [13, 500]], np.uint16)
    write(path, stored, syntax, BitsStored=12, ModalityLUTSequence=Sequence([lut]))
    pixels = DicomPreprocessor().read(path).pixels
    assert pixels.tolist() == [[7, 7], [70, 700], [4000, 4000]]


def test_voi_table_of_signed_values_goes_with_the_pixels(path):
    lut = table([4, 65534, 10], [0, 341, 682, 1023])  # the first value is -2
    write(path, np.array([[-9, -2], [-1, 0], [1, 9]], np.int16), VOILUTSequence=Sequence([lut]))
    reader = DicomPreprocessor()
    pixels = reader.pixels(path)
    assert pixels.table[0] == -2
    np.testing.assert_allclose(pixels.table[1], [0, 1 / 3, 2 / 3, 1], atol=1e-3)
    assert reader(path)[0].tolist() == [[0, 0], [85, 170], [255, 255]]


@pytest.mark.parametrize("bits", [8, 16])
def test_palette(path, bits):
    reds, scale = [0, 255, 10, 20], 257 if bits == 16 else 1
    kind = np.uint16 if bits == 16 else np.uint8
    file = dataset(np.array([[0, 1], [2, 3]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for colour, shift in (("Red", 0), ("Green", 1), ("Blue", 2)):
        file.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [4, 0, bits])
        levels = np.roll(np.array(reds, kind) * kind(scale), shift).tobytes()
        file.add_new(f"{colour}PaletteColorLookupTableData", "OW", levels)
    file.save_as(path, enforce_file_format=True)
    pixels = DicomPreprocessor().read(path).pixels
    assert pixels.shape == (2, 2, 3)
    np.testing.assert_allclose(pixels[0, 1], [255, 0, 20], atol=1e-4)
    np.testing.assert_allclose(pixels[1, 0], [10, 255, 0], atol=1e-4)


def test_rescale_slope_of_zero_is_damage(path):
    write(path, np.zeros((4, 4), np.int16), RescaleSlope="0", RescaleIntercept="0")
    with pytest.raises(DicomError, match="rescale slope is zero"):
        DicomPreprocessor()(path)


def test_frames_are_chosen_or_stacked(path):
    stored = np.arange(3, dtype=np.uint8)[:, None, None] + np.zeros((3, 4, 5), np.uint8)
    write(path, stored, NumberOfFrames=3)
    with pytest.raises(DicomError, match="holds 3 frames; one image per file was expected"):
        DicomPreprocessor()(path)
    for choice, value in (("first", 0), ("middle", 1), (2, 2)):
        assert DicomPreprocessor(frame=choice)(path).tolist() == [[[value] * 5] * 4]
    with pytest.raises(DicomError, match="there is no frame 3"):
        DicomPreprocessor(frame=3)(path)
    np.testing.assert_array_equal(DicomPreprocessor().stack(path)[:, 0], stored)
    assert [frame.values[0, 0] for frame in DicomPreprocessor().frames(path)] == [0, 1, 2]
    with pytest.raises(MedflError, match="not `last`"):
        DicomPreprocessor(frame="last")


def test_enhanced_frames_have_their_own_rescale_spacing_and_window(path):
    shared = item(
        PixelMeasuresSequence=Sequence([item(PixelSpacing=["2", "1"])]),
        PixelValueTransformationSequence=Sequence([item(RescaleSlope="9", RescaleIntercept="9")]),
    )
    own = [
        item(
            PixelValueTransformationSequence=Sequence(
                [item(RescaleSlope=str(slope), RescaleIntercept="-5")]
            ),
            PlanePositionSequence=Sequence([item(ImagePositionPatient=["0", "0", str(height)])]),
            FrameVOILUTSequence=Sequence([item(WindowCenter="10", WindowWidth=str(width))]),
        )
        for slope, height, width in ((1, 30, 100), (3, 33, 300))
    ]
    write(
        path,
        np.full((2, 4, 4), 7, np.uint16),
        NumberOfFrames=2,
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(own),
    )
    first, second = DicomPreprocessor().frames(path)
    assert (first.values[0, 0], second.values[0, 0]) == (7 - 5, 3 * 7 - 5)
    assert first.spacing == second.spacing == (2.0, 1.0)
    assert (first.window, second.window) == ((10, 100, "LINEAR"), (10, 300, "LINEAR"))
    header = read_header(path)
    assert [frame_header(header, n).ImagePositionPatient[2] for n in (0, 1)] == [30, 33]
    assert "ImagePositionPatient" not in header


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PixelSpacing", ["3", "2"]),
        ("ImagerPixelSpacing", ["3", "2"]),
        ("NominalScannedPixelSpacing", ["3", "2"]),
        ("PixelAspectRatio", ["3", "2"]),
    ],
)
def test_spacing_by_any_of_its_names(path, name, value):
    write(path, np.zeros((4, 6), np.uint8), **{name: value})
    assert DicomPreprocessor().pixels(path).spacing == (3, 2)
    assert DicomPreprocessor()(path).shape == (1, 6, 6)


def test_borders_are_cropped_on_request(path):
    rng = np.random.default_rng(0)
    stored = np.full((40, 50), 4000, np.uint16)  # white collimation …
    stored[2:38, 3:47] = rng.integers(0, 20, (36, 44))  # … around a noisy black margin …
    stored[8:30, 10:40] = rng.integers(500, 3000, (22, 30))  # … around anatomy
    write(path, stored, BitsStored=12)
    assert DicomPreprocessor()(path).shape == (1, 40, 50)
    assert DicomPreprocessor(crop_borders=True)(path).shape == (1, 22, 30)
    assert DicomPreprocessor(16, crop_borders=True)(path).shape == (1, 16, 16)


def test_attributes_as_text(path):
    write(path, np.zeros((2, 2), np.uint8), PatientSex="F", ImageType=["ORIGINAL", "PRIMARY"])
    header = read_header(path)
    for name in ("PatientSex", "(0010,0040)", "00100040", "0010,0040"):
        assert attribute(header, name) == "F"
    assert attribute(header, "ImageType") == "ORIGINAL\\PRIMARY"
    assert attribute(header, "StudyDescription") == ""
    with pytest.raises(MedflError, match="did you mean `PatientSex`"):
        attribute(header, "PatientSx")
    with pytest.raises(MedflError, match="is no DICOM attribute; give a keyword such as"):
        attribute(header, "qqqq")


def test_damage_is_told_without_the_values_of_the_file(path):
    file = dataset(np.zeros((4, 4), np.int16), RescaleIntercept="0")
    file.add_new("RescaleSlope", "LO", "Doe^John 19700203")
    file.save_as(path, enforce_file_format=True)
    with pytest.raises(DicomError) as error:
        DicomPreprocessor()(path)
    assert "cannot be decoded" in error.value.reason
    assert not any(word in str(error.value) for word in ("Doe", "John", "19700203"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ((2, 9, 1, 8),)),  # the ends are the last pixels: rows 2 to 8, columns 1 to 7
        ({"RegionLocationMaxY1": 10}, ((2, 10, 1, 8),)),  # or the ones after them
        ({"RegionLocationMaxY1": 11}, ()),  # of a picture that was larger
        ({"RegionSpatialFormat": 2}, ()),  # M-mode
        ({"RegionLocationMinX0": None}, ()),
        ({"RegionDataType": 1}, ((2, 9, 1, 8),)),
        ({"RegionDataType": 2}, ()),  # the box of a colour Doppler alone
    ],
)
def test_the_parts_of_an_ultrasound_picture_that_show_tissue(changes, expected):
    region = Dataset()
    region.RegionSpatialFormat = 1
    region.RegionLocationMinX0, region.RegionLocationMaxX1 = 1, 7
    region.RegionLocationMinY0, region.RegionLocationMaxY1 = 2, 8
    for name, value in changes.items():
        setattr(region, name, value)
    header = Dataset()
    header.Rows, header.Columns = 10, 8
    header.SequenceOfUltrasoundRegions = [region]
    assert tissue_regions(header) == expected
