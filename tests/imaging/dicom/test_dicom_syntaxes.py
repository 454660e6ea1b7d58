"""Every transfer syntax, written by another encoder, against the array that went in."""

import numpy as np
import pytest
from dicoms import NATIVE, dataset, pillow_bytes, write, write_encapsulated, write_gdcm
from pydicom import uid
from pydicom.data import get_testdata_file

from medfl.imaging.dicom import DicomError, DicomPreprocessor

ROWS, COLUMNS = 24, 31


def noise(bits, signed=False, colour=False):
    low = -(2 ** (bits - 1)) if signed else 0
    shape = (ROWS, COLUMNS, 3) if colour else (ROWS, COLUMNS)
    values = np.random.default_rng(bits).integers(low, low + 2**bits, shape)
    kind = f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}"
    return values.astype(kind)


def smooth(bits):
    y, x = np.mgrid[:ROWS, :COLUMNS]
    wave = (np.sin(y / 5) + np.cos(x / 6) + 2) / 4.01
    return np.rint(wave * (2**bits - 1)).astype(np.uint8 if bits <= 8 else np.uint16)


def decoded(path):
    return DicomPreprocessor().read(path).pixels


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.dcm"


DEPTHS = [(8, False), (8, True), (10, False), (12, False), (12, True), (16, False), (16, True)]


@pytest.mark.parametrize(("bits", "signed"), DEPTHS)
@pytest.mark.parametrize("syntax", NATIVE)
def test_uncompressed(path, syntax, bits, signed):
    stored = noise(bits, signed)
    write(path, stored, syntax, BitsStored=bits)
    np.testing.assert_array_equal(decoded(path), stored)


COMPRESSED = {
    "rle": (uid.RLELossless, {"encoding_plugin": "pydicom"}),
    "jpeg-ls": (uid.JPEGLSLossless, {}),
}


@pytest.mark.parametrize(("bits", "signed"), DEPTHS)
@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_by_pydicom(path, name, bits, signed):
    syntax, options = COMPRESSED[name]
    stored = noise(bits, signed)
    file = dataset(stored, BitsStored=bits)
    file.compress(syntax, **options)
    file.save_as(path)
    np.testing.assert_array_equal(decoded(path), stored)


@pytest.mark.parametrize(("bits", "signed"), DEPTHS)
@pytest.mark.parametrize(
    "name", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1", "JPEG2000Lossless", "RLELossless"]
)
def test_compressed_by_gdcm(path, tmp_path, name, bits, signed):
    stored = noise(bits, signed)
    write(tmp_path / "plain.dcm", stored, BitsStored=bits)
    write_gdcm(path, tmp_path / "plain.dcm", name)
    np.testing.assert_array_equal(decoded(path), stored)


def test_jpeg_ls_near_lossless(path):
    stored = smooth(12)
    file = dataset(stored, BitsStored=12)
    file.compress(uid.JPEGLSNearLossless, jls_error=3)
    file.save_as(path)
    error = np.abs(decoded(path) - stored)
    assert 0 < error.max() <= 3


@pytest.mark.parametrize("bits", [8, 12])
def test_jpeg_extended(path, tmp_path, bits):
    stored = smooth(bits)
    write(tmp_path / "plain.dcm", stored, BitsStored=bits)
    write_gdcm(path, tmp_path / "plain.dcm", "JPEGExtendedProcess2_4")
    assert np.abs(decoded(path) - stored).max() <= 2
    assert np.ptp(decoded(path)) > 0.9 * np.ptp(stored)


def test_jpeg_extended_of_a_real_scanner():
    # The two values are those that pydicom's own tests hold against another decoder (libjpeg).
    values = decoded(get_testdata_file("JPGExtended.dcm", download=False))
    assert values.shape == (1024, 256)
    assert (values[420, 140], values[230, 120]) == (244, 95)


def test_jpeg_baseline_grey(path):
    stored = smooth(8)
    like = dataset(stored)
    frame = pillow_bytes(stored, "JPEG", quality=95)
    write_encapsulated(path, frame, uid.JPEGBaseline8Bit, like)
    assert np.abs(decoded(path) - stored).max() <= 4


@pytest.mark.parametrize("space", ["YBR_FULL_422", "YBR_FULL"])
def test_jpeg_baseline_colour(path, space):
    stored = np.stack([smooth(8), smooth(8)[::-1], smooth(8)[:, ::-1]], axis=2)
    like = dataset(stored, PhotometricInterpretation=space)
    sampling = "4:2:2" if space == "YBR_FULL_422" else "4:4:4"
    frame = pillow_bytes(stored, "JPEG", quality=95, subsampling=sampling)
    write_encapsulated(path, frame, uid.JPEGBaseline8Bit, like)
    values = decoded(path)
    assert values.shape == (ROWS, COLUMNS, 3)
    assert np.abs(values - stored).mean() < 3  # YBR taken for RGB would be tens away


@pytest.mark.parametrize(("lossless", "space"), [(True, "YBR_RCT"), (False, "YBR_ICT")])
def test_jpeg_2000_colour(path, lossless, space):
    stored = np.stack([smooth(8), smooth(8)[::-1], smooth(8)[:, ::-1]], axis=2)
    like = dataset(stored, PhotometricInterpretation=space)
    options = {} if lossless else {"irreversible": True, "quality_layers": [4]}
    frame = pillow_bytes(stored, "JPEG2000", no_jp2=True, mct=1, num_resolutions=3, **options)
    write_encapsulated(path, frame, uid.JPEG2000Lossless if lossless else uid.JPEG2000, like)
    error = np.abs(decoded(path) - stored)
    assert error.max() == 0 if lossless else 0 < error.mean() < 4


def test_jpeg_2000_under_the_name_of_its_high_throughput_kin(path):
    # No free encoder of HTJ2K is at hand: this shows that such files reach OpenJPEG, which reads
    # both kinds of code blocks.
    stored = smooth(8)
    frame = pillow_bytes(stored, "JPEG2000", no_jp2=True, num_resolutions=3)
    write_encapsulated(path, frame, uid.HTJ2KLossless, dataset(stored))
    np.testing.assert_array_equal(decoded(path), stored)


def test_rle_colour_and_planar_configuration(path):
    stored = noise(8, colour=True)
    file = dataset(stored)
    file.compress(uid.RLELossless, encoding_plugin="pydicom")
    file.save_as(path)
    np.testing.assert_array_equal(decoded(path), stored)
    planes = np.ascontiguousarray(stored.transpose(2, 0, 1)).tobytes()
    write(path, stored, PlanarConfiguration=1, PixelData=planes)
    np.testing.assert_array_equal(decoded(path), stored)


def test_ybr_full_uncompressed(path):
    # PS3.3 C.7.6.3.1.2, the other way round: R = Y + 1.402 (Cr - 128), B = Y + 1.772 (Cb - 128).
    stored = np.zeros((2, 2, 3), np.uint8)
    stored[...] = [100, 90, 150]
    write(path, stored, PhotometricInterpretation="YBR_FULL")
    expected = [100 + 1.402 * 22, 100 - 0.344136 * -38 - 0.714136 * 22, 100 + 1.772 * -38]
    assert np.abs(decoded(path)[0, 0] - expected).max() <= 1


def test_ybr_full_422_uncompressed():
    # pydicom's file shows the same bars as its RGB twin.
    ours = decoded(get_testdata_file("SC_ybr_full_422_uncompressed.dcm", download=False))
    twin = decoded(get_testdata_file("SC_rgb_rle.dcm", download=False))
    assert ours.shape == twin.shape == (100, 100, 3)
    assert np.abs(ours[5] - twin[5]).mean() < 3


def test_colour_of_16_bits_is_scaled(path):
    stored = np.zeros((2, 2, 3), np.uint16)
    stored[..., 1], stored[..., 2] = 2**12 - 1, 819
    write(path, stored, BitsStored=12)
    np.testing.assert_allclose(decoded(path)[0, 0], [0, 255, 51], atol=1e-3)


SHIPPED = [
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_expb.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_padded.dcm",
]


@pytest.mark.parametrize("name", SHIPPED)
def test_one_real_image_in_many_syntaxes(name):
    plain = decoded(get_testdata_file("MR_small.dcm", download=False))
    assert plain.shape == (64, 64)
    assert np.ptp(plain) > 1000
    np.testing.assert_array_equal(decoded(get_testdata_file(name, download=False)), plain)


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big"])
def test_files_without_the_prefix(path, syntax):
    stored = noise(12)
    file = dataset(stored, syntax, BitsStored=12)
    del file.preamble, file.file_meta
    little = syntax != "big"
    file.save_as(path, implicit_vr=syntax == "implicit", little_endian=little)
    assert path.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(decoded(path), stored)


def test_a_real_deflated_file():
    assert decoded(get_testdata_file("image_dfl.dcm", download=False)).shape == (512, 512)


def test_what_no_decoder_takes_is_said(path):
    like = dataset(smooth(8))
    write_encapsulated(path, b"\x00\x00\x01\xb3" * 8, uid.MPEG2MPML, like)
    with pytest.raises(DicomError, match=r"no decoder takes its transfer syntax \(MPEG2 Main"):
        decoded(path)
    write_encapsulated(path, bytes(64), "1.2.3.4", dataset(smooth(8)))
    with pytest.raises(DicomError, match="not one of the standard"):
        decoded(path)


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.JPEGLosslessSV1, uid.RLELossless])
def test_damaged_codestreams(path, syntax):
    write_encapsulated(path, b"\xff\x4f\xff\x51" + bytes(60), syntax, dataset(smooth(8)))
    with pytest.raises(DicomError, match=r"a\.dcm has pixels that cannot be decoded"):
        decoded(path)
