import numpy as np
import pytest
from PIL import Image

from medfl.data.images import read_image
from medfl.errors import MedflError


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
    for name in ("page.jpg", "empty.jpg"):
        with pytest.raises(MedflError, match=f"{name} is not an image"):
            read_image(tmp_path / name, 32)
    with pytest.raises(MedflError, match=r"nowhere\.jpg does not exist"):
        read_image(tmp_path / "nowhere.jpg", 32)
