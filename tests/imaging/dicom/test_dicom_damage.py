"""Windows, tables, palettes and float pixels that are none or damaged: against pydicom."""

import numpy as np
import pytest
from dicoms import dataset, write
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_windowing
from pydicom.tag import Tag

from medfl.imaging.dicom import DicomError, DicomPreprocessor, pixel_spacing
from medfl.imaging.remarks import collecting

RAMP = np.linspace(0, 4000, 400).reshape(20, 20).astype(np.uint16)
KEYS = {"WindowCenter": 0x00281050, "WindowWidth": 0x00281051, "RescaleSlope": 0x00281053}


def write_texts(path, stored, syntax="explicit", texts=(), **values):
    """A file with decimal strings letter by letter, also where DICOM forbids them."""
    file = dataset(stored, syntax, **values)
    for keyword, text in dict(texts).items():
        tag, data = Tag(KEYS[keyword]), text.encode() + b" " * (len(text) % 2)
        file._dict[tag] = RawDataElement(tag, "DS", len(data), data, 0, False, True)
    file.save_as(path, enforce_file_format=True)
    return path


def shown(path):
    with collecting() as remarks:
        image = DicomPreprocessor()(path)
    return image, remarks


@pytest.mark.parametrize(
    ("centre", "width"),
    [
        ("NaN", "NaN"),
        ("2000", "NaN"),
        ("2000", "-500"),
        ("2000", "0"),
        ("2000", "inf"),
        ("-inf", "500"),
        ("2000", "1e300"),
        ("2000", "1e-45"),
        ("2000", ""),
        ("", "500"),
        ("\\2000", "\\4000"),
        ("abc", "def"),
        ("2000\\100", "NaN\\200"),
    ],
)
def test_a_window_that_is_none_is_as_no_window_and_is_remarked(tmp_path, centre, width):
    plain, silent = shown(write(tmp_path / "plain.dcm", RAMP))
    texts = {"WindowCenter": centre, "WindowWidth": width}
    image, remarks = shown(write_texts(tmp_path / "a.dcm", RAMP, texts=texts))
    np.testing.assert_array_equal(image, plain)
    assert silent == []
    empty = not centre.split("\\")[0] and not width.split("\\")[0]
    assert len(remarks) == (not empty)
    assert all(remark.startswith("its window is none") for remark in remarks)


def test_a_linear_window_narrower_than_one_is_exact(tmp_path):
    values = np.linspace(0, 1, 100).reshape(10, 10)
    stored = np.rint(values * 1000).astype(np.uint16)
    window = {"WindowCenter": "0.5", "WindowWidth": "0.8"}
    scale = {"RescaleSlope": "0.001", "RescaleIntercept": "0"}
    image, remarks = shown(write(tmp_path / "a.dcm", stored, **window, **scale))
    reference = dataset(stored, **window, **scale, VOILUTFunction="LINEAR_EXACT")
    expected = apply_windowing(stored * 0.001, reference) / 65.535
    np.testing.assert_allclose(image[0], 255 * expected, atol=0.51)
    assert remarks == ["its window is narrower than 1: taken for one of function LINEAR_EXACT"]


def table(descriptor, data):
    made = Dataset()
    made.add_new("LUTDescriptor", "US", descriptor)
    made.add_new("LUTData", "OW", data)
    return made


@pytest.mark.parametrize(
    ("descriptor", "data"),
    [
        ([4096, 0, 16], bytes(100)),  # shorter than it says
        ([16, 0, 16], bytes(16)),  # half of it
        ([16, 0, 0], bytes(32)),
        ([16, 0, 64], bytes(32)),
        ([16, 0], bytes(32)),
        ([16, 0, 8], b""),
    ],
)
def test_a_damaged_table(tmp_path, descriptor, data):
    """For showing it is none, and that is remarked; for units it makes the file useless."""
    plain, _ = shown(write(tmp_path / "plain.dcm", RAMP))
    path = tmp_path / "a.dcm"
    image, remarks = shown(write(path, RAMP, VOILUTSequence=[table(descriptor, data)]))
    np.testing.assert_array_equal(image, plain)
    assert remarks == ["its VOI lookup table is damaged: shown as without one"]
    write(path, RAMP, ModalityLUTSequence=[table(descriptor, data)])
    with pytest.raises(DicomError, match="cannot be decoded"):
        DicomPreprocessor()(path)


def palette(bits, syntax):
    """The attributes of a palette of 256 entries: red rises, green falls, blue is a wave."""
    level = np.arange(256)
    curves = {"Red": level, "Green": 255 - level, "Blue": (level * 7) % 256}
    kind = {"little": "<u2", "big": ">u2"}["big" if syntax == "big" else "little"]
    fields = {}
    for colour, curve in curves.items():
        data = curve.astype("u1").tobytes() if bits == 8 else b""
        words = np.frombuffer(data, "<u2") if bits == 8 else curve << 8
        fields[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, bits]
        fields[f"{colour}PaletteColorLookupTableData"] = words.astype(kind).tobytes()
    return fields


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("wide", [False, True])
def test_a_palette_in_big_endian_gives_the_picture_of_little_endian(tmp_path, bits, wide):
    stored = np.random.default_rng(0).integers(0, 256, (12, 10)).astype("u2" if wide else "u1")
    kind = {"PhotometricInterpretation": "PALETTE COLOR"}
    little = write(tmp_path / "l.dcm", stored, "explicit", **kind, **palette(bits, "little"))
    big = write(tmp_path / "b.dcm", stored, "big", **kind, **palette(bits, "big"))
    found = [DicomPreprocessor().read(path).pixels for path in (little, big)]
    np.testing.assert_array_equal(*found)
    plain = dataset(stored, **kind, **palette(bits, "little"))
    expected = apply_color_lut(stored, plain) * (255 / (2**bits - 1))
    np.testing.assert_allclose(found[0], expected, atol=1e-3)


def test_grey_of_16_bits_in_big_endian(tmp_path):
    found = [
        DicomPreprocessor().read(write(tmp_path / f"{k}.dcm", RAMP, k)).pixels
        for k in ("explicit", "big", "implicit")
    ]
    for pixels in found:
        np.testing.assert_array_equal(pixels, RAMP)


def write_floats(path, values, name, **extra):
    file = dataset(RAMP, PixelData=None, BitsAllocated=8 * values.itemsize)
    for word in ("BitsStored", "HighBit", "PixelRepresentation"):
        delattr(file, word)
    file.Rows, file.Columns = values.shape
    for keyword, value in {name: values.tobytes(), **extra}.items():
        setattr(file, keyword, value)
    file.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("name", "kind"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")]
)
def test_float_pixels(tmp_path, name, kind):
    values = np.linspace(-3, 5, 30).reshape(5, 6).astype(kind)
    values[0, :3] = np.nan, np.inf, -7
    padding = {name.replace("Data", "PaddingValue"): -7.0}
    path = write_floats(tmp_path / "a.dcm", values, name, **padding)
    with collecting() as remarks:
        pixels = DicomPreprocessor().pixels(path)
    assert np.argwhere(~pixels.valid).tolist() == [[0, 0], [0, 1], [0, 2]]
    np.testing.assert_allclose(pixels.values[1:], values[1:], rtol=1e-6)
    assert remarks == ["2 pixels are not numbers (NaN or infinite): taken for padding"]
    values[:] = np.nan
    with pytest.raises(DicomError, match="holds no number"):
        DicomPreprocessor().pixels(write_floats(path, values, name))


@pytest.mark.parametrize("slope", ["NaN", "inf", "0", "1e39", "abc"])
def test_a_slope_that_makes_no_number_is_a_reason(tmp_path, slope):
    path = write_texts(
        tmp_path / "a.dcm", RAMP + 1, texts={"RescaleSlope": slope}, RescaleIntercept="0"
    )
    with pytest.raises(DicomError, match="cannot be decoded") as caught:
        DicomPreprocessor()(path)
    assert "abc" not in str(caught.value)


def test_a_slope_that_makes_all_pixels_one_is_remarked(tmp_path):
    _, remarks = shown(write(tmp_path / "a.dcm", RAMP, RescaleSlope="1", RescaleIntercept="1e12"))
    assert len(remarks) == 1
    assert "one value is (a blank picture) left of its pixels" in remarks[0]


@pytest.mark.parametrize("spacing", [["inf", "1"], ["0", "0"], ["NaN", "1"], ["-1", "1"]])
def test_an_impossible_spacing_is_none(spacing):
    header = Dataset()
    header.ImagerPixelSpacing = ["3", "2"]
    header.PixelSpacing = spacing
    with collecting() as remarks:
        assert pixel_spacing(header) == (3, 2)
    assert remarks == ["its PixelSpacing is impossible: it is read as without one"]
