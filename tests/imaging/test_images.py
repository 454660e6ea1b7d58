import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from medfl.datasets.described.decode import Reader
from medfl.errors import MedflError
from medfl.imaging.images import read_image, read_pixels
from medfl.imaging.modality import least_side, preprocess_for, to_store
from medfl.imaging.remarks import collecting


def save(tmp_path, array, name="x.png", **options):
    path = tmp_path / name
    Image.fromarray(array).save(path, **options)
    return path


def test_shrinking_averages(tmp_path):
    """Alternate black and white pixels become grey: no aliasing."""
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    image = read_image(save(tmp_path, checks.astype(np.uint8)), 8, channels=1)
    assert image.shape == (1, 8, 8)
    assert np.abs(image.astype(int) - 127).max() <= 2


@pytest.mark.parametrize(
    ("fit", "expected"),
    [("crop", [9] * 8), ("pad", [0, 0, 0, 9, 9, 0, 0, 0]), ("stretch", [9] * 8)],
)
def test_fit_of_an_oblong_image(tmp_path, fit, expected):
    """A band fills a quarter of a tall image: all that a crop keeps, the middle of the rest."""
    array = np.zeros((64, 16), np.uint8)
    array[20:44] = 9
    image = read_image(save(tmp_path, array), 8, channels=1, fit=fit)[0]
    assert image[4].tolist() == expected
    assert image[0, 4] == (9 if fit == "crop" else 0)


def test_modes_agree(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = read_image(save(tmp_path, grey, "l.png"), 16)
    assert expected.shape == (3, 16, 16)
    np.testing.assert_array_equal(expected[0], grey)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    opaque = np.dstack([rgb, np.full_like(grey, 255)])
    files = {
        "rgb": save(tmp_path, rgb, "rgb.png"),
        "rgba": save(tmp_path, opaque, "rgba.png"),
        "la": save(tmp_path, opaque[..., 2:], "la.png"),
        "16 bit": save(tmp_path, grey.astype(np.uint16) * 257, "i16.png"),
    }
    Image.fromarray(grey).convert("P").save(tmp_path / "p.png")
    files["palette"] = tmp_path / "p.png"
    for mode, path in files.items():
        np.testing.assert_array_equal(read_image(path, 16), expected, err_msg=mode)


def test_transparency_is_laid_on_black(tmp_path):
    rgba = np.full((8, 8, 4), 200, np.uint8)
    rgba[:, :4, 3] = 0
    rgba[:, 4:, 3] = 255
    image = read_image(save(tmp_path, rgba), 8)
    assert (image[:, :, :4] == 0).all()
    assert (image[:, :, 4:] == 200).all()


def test_colour_channels_keep_their_order(tmp_path):
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[..., 0], rgb[..., 2] = 250, 10
    image = read_image(save(tmp_path, rgb), 8)
    assert [int(channel.mean()) for channel in image] == [250, 0, 10]


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_truncated(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path, noise, f"half.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MedflError, match=rf"half\.{suffix} is a corrupt image: .*truncated"):
        read_image(path, 32)


def test_not_an_image_empty_and_missing(tmp_path):
    (tmp_path / "page.jpg").write_text("<html>404</html>")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(MedflError, match=r"empty\.jpg is not an image \(it is empty, 0 bytes\)"):
        read_pixels(tmp_path / "empty.jpg")
    for name in ("page.jpg", "empty.jpg"):
        with pytest.raises(MedflError, match=f"{name} is not an image"):
            read_image(tmp_path / name, 32)
    with pytest.raises(MedflError, match=r"nowhere\.jpg does not exist"):
        read_image(tmp_path / "nowhere.jpg", 32)


def both(path, size):
    """The image by either way: quickly, and at full resolution for preprocessing."""
    return read_image(path, size), to_store(read_pixels(path), preprocess_for("photo"), size)


def test_every_mode_is_read_alike_at_full_resolution(tmp_path):
    """Whatever Pillow can write, either way of reading shows the same picture."""
    ramp = np.add.outer(np.arange(16) * 8, np.arange(16) * 7).astype(np.uint8)
    colour = Image.fromarray(np.dstack([ramp, ramp[::-1], 255 - ramp]))
    clear = colour.copy()
    clear.putalpha(Image.fromarray(ramp))
    palette = colour.quantize(16)
    pictures = {
        "1.png": colour.convert("1"),
        "l.png": colour.convert("L"),
        "la.png": clear.convert("LA"),
        "p.png": palette,
        "rgb.png": colour,
        "rgba.png": clear,
        "cmyk.tif": colour.convert("CMYK"),
        "cmyk.jpg": colour.convert("CMYK"),
        "ycbcr.tif": colour.convert("YCbCr"),
        "i16.png": Image.fromarray(ramp.astype(np.uint16) * 257),
        "i.tif": Image.fromarray(ramp.astype(np.int32) * 257),
        "f.tif": Image.fromarray(ramp.astype(np.float32)),
    }
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
    palette.save(tmp_path / "p-transparent.png", transparency=3)
    colour.save(tmp_path / "rgb-transparent.png", transparency=(0, 120, 255))
    for path in sorted(tmp_path.iterdir()):
        fast, full = both(path, 16)
        assert fast.shape == full.shape == (3, 16, 16), path.name
        np.testing.assert_array_equal(fast, full, err_msg=path.name)
        assert fast.std() > 20, path.name


def test_cmyk_is_colour_not_its_negative(tmp_path):
    red = Image.new("RGB", (16, 16), (250, 10, 10)).convert("CMYK")
    for name in ("red.jpg", "red.tif"):
        red.save(tmp_path / name)
        pixel = read_image(tmp_path / name, 8)[:, 4, 4].astype(int)
        assert np.abs(pixel - (250, 10, 10)).max() < 12


def test_a_transparent_palette_entry_is_laid_on_black(tmp_path):
    indices = np.zeros((8, 8), np.uint8)
    indices[:, 4:] = 1
    picture = Image.fromarray(indices, "P")
    picture.putpalette([200, 100, 50, 255, 255, 255])
    picture.save(tmp_path / "p.png", transparency=1)
    image = read_image(tmp_path / "p.png", 8)
    assert (image[:, :, :4] == np.array([200, 100, 50])[:, None, None]).all()
    assert (image[:, :, 4:] == 0).all()


@pytest.mark.parametrize(
    ("values", "top"),
    [
        ([0, 100, 255], 255),  # 8 bits in a word of 16
        ([0, 1000, 4095], 4095),  # 12
        ([0, 4096, 30000], 65535),
    ],
)
def test_the_depth_of_a_16_bit_file(tmp_path, values, top):
    """The least of 8, 12 and 16 bits that holds the highest value is white."""
    stored = np.array(values, np.uint16).repeat(3).reshape(3, 3)
    for suffix in ("png", "tif"):
        path = save(tmp_path, stored, f"x.{suffix}")
        expected = np.rint(stored / top * 255)
        np.testing.assert_array_equal(read_image(path, 3, channels=1)[0], expected)
        pixels = read_pixels(path)
        assert pixels.value_range == (0, top)
        np.testing.assert_array_equal(pixels.values, stored)


def test_float_and_negative_values(tmp_path):
    """Floating point of at most 1 has white at 1; Hounsfield units have no range."""
    path = save(tmp_path, np.array([[0.25, 0.5]] * 2, np.float32), "f.tif")
    assert read_pixels(path).value_range == (0, 1)
    np.testing.assert_array_equal(read_image(path, 2, channels=1)[0], [[64, 128]] * 2)
    hounsfield = np.array([[-1000, 0], [200, 1000]], np.int32)
    path = save(tmp_path, hounsfield, "hu.tif")
    pixels = read_pixels(path)
    assert pixels.value_range is None
    np.testing.assert_array_equal(pixels.values, hounsfield)
    np.testing.assert_array_equal(read_image(path, 2, channels=1)[0], [[0, 128], [153, 255]])
    path = save(tmp_path, np.array([[0, np.nan]] * 2, np.float32), "nan.tif")
    with pytest.raises(MedflError, match=r"nan\.tif .*not finite"):
        read_image(path, 2)


def test_16_bit_colour(tmp_path):
    """Pillow cannot write it; the parts of the file by hand. 51400 = 200 x 257, 25700, 2570."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    row = b"\0" + struct.pack(">3H", 51400, 25700, 2570) * 4
    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(row * 4)), (b"IEND", b"")]
    path = tmp_path / "rgb16.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    for image in both(path, 4):
        assert image[:, 2, 2].tolist() == [200, 100, 10]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    """A bright upper left corner and a grey upper right one, however the camera was held."""
    upright = np.zeros((96, 64), np.uint8)
    upright[:32, :32], upright[:32, 32:] = 255, 128
    turns = {  # what undoes each orientation, by the EXIF standard's table
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a, -1),
    }
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.jpg"
    stored.save(path, exif=exif, quality=95)
    pixels = read_pixels(path)
    assert pixels.values.shape == (96, 64)
    assert np.abs(pixels.values - upright).mean() < 3
    for fit in ("pad", "stretch"):  # draft mode halves this JPEG first
        fast = read_image(path, 16, channels=1, fit=fit)[0].astype(int)
        full = to_store(pixels, preprocess_for("none", {"fit": fit, "channels": 1}), 16)[0]
        assert np.abs(fast - full).max() <= 8
        assert fast[2, 5] > 200 > 160 > fast[2, 10] > 90


def test_stacks_and_animations_are_refused(tmp_path):
    pages = [Image.new("L", (8, 8), shade) for shade in (10, 90, 200)]
    for name in ("stack.tif", "film.gif", "film.png"):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
        for read in (lambda path: read_image(path, 8), read_pixels):
            with pytest.raises(MedflError, match=rf"{name} holds 3 pages; one image per file"):
                read(tmp_path / name)


def test_a_preview_after_the_picture_does_no_harm(tmp_path):
    picture, preview = Image.new("L", (32, 32), 90), Image.new("L", (8, 8), 200)
    for name in ("preview.tif", "camera.mpo"):
        picture.save(tmp_path / name, save_all=True, append_images=[preview])
        assert np.abs(read_image(tmp_path / name, 8).astype(int) - 90).max() <= 1


def test_a_bomb(tmp_path, monkeypatch):
    path = save(tmp_path, np.zeros((64, 64), np.uint8), "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for read in (lambda path: read_image(path, 8), read_pixels):
        with pytest.raises(MedflError, match=r"bomb\.png unpacks to more than 2,000 pixels"):
            read(path)


def test_a_folder_and_a_dangling_link(tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(MedflError, match=r"folder\.png is a folder, not an image"):
        read_image(tmp_path / "folder.png", 8)
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(MedflError, match=r"link\.png does not exist"):
        read_pixels(tmp_path / "link.png")


@pytest.mark.parametrize("name", ["a b (1).png", "[x]*?.png", "Müller-Ärztin 影像.png", "-v.png"])
def test_awkward_names(tmp_path, name):
    path = save(tmp_path, np.full((8, 8), 77, np.uint8), name)
    for image in both(path, 8):
        assert (image == 77).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (300, 2)])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_tiny_and_thin_images(tmp_path, shape, fit):
    path = save(tmp_path, np.full(shape, 77, np.uint8))
    for image in (
        read_image(path, 16, fit=fit),
        to_store(read_pixels(path), preprocess_for("photo", {"fit": fit}), 16),
    ):
        assert image.shape == (3, 16, 16)
        assert image.max() == 77


def ramps(rows, columns):
    """Red rises to the right, green downwards; blue is even."""
    down, right = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j] * 255
    return np.dstack([right, down, np.full((rows, columns), 90.0)]).round().astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_photograph_is_decoded_at_a_part_of_its_size(tmp_path, orientation):
    """1,201 columns at an eighth are 151, of which the last is one pixel wide."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, ramps(901, 1201), "x.jpg", exif=exif, quality=95)
    whole, part = read_pixels(path), read_pixels(path, least=100)
    turned = orientation > 4
    assert whole.values.shape == ((1201, 901, 3) if turned else (901, 1201, 3))
    assert part.values.shape == ((151, 113, 3) if turned else (113, 151, 3))
    for one in (whole, part):
        extents = [n * step for n, step in zip(one.values.shape, one.spacing, strict=False)]
        assert extents == pytest.approx([1201, 901] if turned else [901, 1201])
    # A mirrored picture has its cut block at the other edge: 7 pixels, which are 2 levels.
    assert np.abs(part.values[20:-20:20, 30] - whole.values[164:-160:160, 244]).max() < 4
    assert read_pixels(path, least=2000).values.shape == whole.values.shape


@pytest.mark.parametrize(
    ("name", "fit", "size"),
    [("photo", "crop", 32), ("photo", "stretch", 32), ("photo", "pad", 20), ("none", "pad", 20)],
)
def test_what_is_stored_of_it_is_the_mean_of_its_pixels(tmp_path, name, fit, size):
    """A ramp's value tells the place: an eighth of a pixel of the result would be a level."""
    preset = preprocess_for(name, {"fit": fit})
    path = save(tmp_path, ramps(1200, 1600), "x.jpg", quality=95)
    found = Reader((preset,), size)(path).astype(float)
    columns, rows = (np.arange(size) + 0.5) / size, (np.arange(size) + 0.5) / size
    if fit == "crop":
        columns = 0.125 + 0.75 * columns
    top, bottom = (2, 17) if fit == "pad" else (0, size)
    rows = (np.arange(bottom - top) + 0.5) / (bottom - top)
    inner = found[:, top + 1 : bottom - 1, 1:-1]  # at the edge the filter sees one side alone
    assert np.abs(inner[0] - 255 * columns[1:-1]).max() <= 1.2
    assert np.abs(inner[1] - 255 * rows[1:-1, None]).max() <= 1.2
    assert np.abs(inner[2] - 90).max() <= 1
    assert (found[:, :top] == 0).all()


def test_steps_that_look_at_single_pixels_have_all_of_them(tmp_path):
    assert least_side(preprocess_for("photo"), 64) == 256
    assert least_side(preprocess_for("xray"), 64) == 1024  # of which a quarter may be left
    assert least_side(preprocess_for("ultrasound"), 64) is None
    assert least_side(preprocess_for("none", {"sector_crop": True}), 64) is None
    png = save(tmp_path, ramps(900, 1200))
    assert read_pixels(png, least=64).values.shape == (900, 1200, 3)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of what it finds in a header
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "gif", "bmp", "webp"])
def test_damage_of_any_kind_is_one_clear_error_or_a_picture(tmp_path, suffix):
    """Never another exception, wherever the file breaks off or a byte is wrong."""
    generator = np.random.default_rng(0)
    whole = save(
        tmp_path, generator.integers(0, 256, (24, 24, 3), dtype=np.uint8), f"x.{suffix}"
    ).read_bytes()
    path = tmp_path / f"damaged.{suffix}"
    errors = []
    for _ in range(60):
        cut = whole[: generator.integers(0, len(whole))]
        bad = bytearray(whole)
        bad[generator.integers(0, min(300, len(bad)))] ^= 255
        for content in (cut, bytes(bad)):
            path.write_bytes(content)
            try:
                assert read_image(path, 8).shape == (3, 8, 8)
            except MedflError as error:
                errors.append(str(error))
    assert len(errors) > 30
    assert all(str(path) in message for message in errors)


@pytest.mark.parametrize(("alpha", "said"), [(0, "one value is"), (1, "two values are"), (200, "")])
def test_a_picture_that_its_transparency_hides_is_remarked(tmp_path, alpha, said):
    """At 1 of 255 a level of 0 to 255 becomes 0 or 1."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = np.dstack([grey, grey, grey, np.full_like(grey, alpha)])
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with collecting() as remarks:
        read_pixels(tmp_path / "a.png")
    assert [said in remark for remark in remarks] == ([True] if said else [])
