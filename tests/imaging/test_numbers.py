"""Pixels that are none, and pictures of which nothing is left."""

import numpy as np
import pytest
from PIL import Image

from medfl.errors import MedflError
from medfl.imaging.images import read_pixels
from medfl.imaging.modality import preprocess_for, to_store
from medfl.imaging.numbers import only_numbers, remark_if_lost
from medfl.imaging.pixels import Pixels
from medfl.imaging.remarks import collecting

PADDING = "are not numbers (NaN or infinite): taken for padding"


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_no_number_is_padding(odd):
    values = np.array([[1.0, odd], [3.0, 2.0]])
    with collecting() as remarks:
        numbers, valid = only_numbers(values)
    assert numbers.tolist() == [[1, 1], [3, 2]]  # the lowest that is a number
    assert numbers.dtype == np.float32
    assert valid.tolist() == [[True, False], [True, True]]
    assert remarks == [f"1 pixels {PADDING}"]


def test_numbers_stay_as_they_are_even_if_their_sum_is_infinite():
    values = np.full((4, 4), 3e38, np.float32)
    with collecting() as remarks:
        numbers, valid = only_numbers(values)
    assert numbers is values
    assert valid is None
    assert remarks == []


def test_a_colour_is_none_where_one_of_its_numbers_is_and_padding_stays():
    values = np.ones((2, 2, 3), np.float32)
    values[0, 0, 1] = np.nan
    padding = np.array([[True, True], [True, False]])
    _, valid = only_numbers(values, padding, colour=True)
    assert valid.tolist() == [[False, True], [True, False]]
    values[:] = np.inf
    with pytest.raises(ValueError, match="all its pixels are NaN or infinite"):
        only_numbers(values, padding, colour=True)


@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
def test_a_picture_with_a_hole_is_otherwise_that_without_it(tmp_path, name):
    """One infinite pixel does not decide what is black and white."""
    from medfl.datasets.described.decode import read_any

    plain = np.random.default_rng(0).random((20, 20)).astype(np.float32)
    holed = plain.copy()
    holed[3, 3] = np.inf
    path = tmp_path / name
    settings = preprocess_for("xray", {"crop_borders": False})
    shown = []
    for values in (plain, holed):
        np.save(path, values) if name == "a.npy" else Image.fromarray(values).save(path)
        shown.append(to_store(read_any(path), settings, 20)[0])
    assert shown[1][3, 3] == 0
    shown[0][3, 3] = 0
    np.testing.assert_array_equal(*shown)


def test_a_picture_of_no_number_is_refused(tmp_path):
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(MedflError, match="holds no number"):
        read_pixels(tmp_path / "a.tif")
    with pytest.raises(MedflError, match="holds no number"):
        to_store(Pixels(np.full((4, 4), np.nan, np.float32)), preprocess_for("none"), 4)


@pytest.mark.parametrize(
    ("window", "said"),
    [((1000, 10), "one value is"), ((50, 1), "two values are"), ((50, 100), None)],
)
def test_a_picture_of_which_nothing_is_left_is_remarked(window, said):
    ramp = np.arange(100, dtype=np.float32).reshape(10, 10)
    settings = preprocess_for("ct", {"windows": [window]})
    with collecting() as remarks:
        to_store(Pixels(ramp), settings, 10)
    assert [said in remark for remark in remarks] == ([True] if said else [])


def test_a_file_of_one_value_is_no_loss_and_one_good_channel_is_enough():
    lone, ramp = np.zeros((2, 2)), np.arange(4.0).reshape(2, 2)
    with collecting() as remarks:
        remark_if_lost(lone, [lone])
        remark_if_lost(ramp, [lone, ramp])
        remark_if_lost(ramp > 1, [ramp > 1])
    assert remarks == []


def test_raw_units_beyond_int16_are_remarked():
    values = np.array([[0, 5], [9, 70_000]], np.float32)
    with collecting() as remarks:
        stored = to_store(Pixels(values), preprocess_for("ct", {"intensity": "raw"}), 2)
    assert stored[0].tolist() == [[0, 5], [9, 32767]]
    assert remarks == ["1 values are beyond the 32,767 of int16: cut off there"]


def test_shades_that_are_no_number_are_an_error_and_no_black_picture():
    curve = (0, np.array([0, np.nan], np.float32))
    with pytest.raises(MedflError, match="too large to be computed"):
        to_store(Pixels(np.eye(4, dtype=np.float32), table=curve), preprocess_for("none"), 4)


LEVELS = np.tile(np.arange(100), 100).astype(np.float32)  # 10,000 pixels, 100 of each value


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (np.where(np.arange(10_000) < 90, LEVELS, 0), "99% of its pixels have become one level"),
        (LEVELS // 10, "99% of its pixels have become 10 levels"),
        (LEVELS // 4, None),  # 25 levels
        (LEVELS % 3, "99% of its pixels have become 3 levels"),
        (np.where(np.arange(10_000) < 2000, LEVELS, 0), None),  # a fifth is to be seen
    ],
)
def test_a_picture_that_is_crushed_is_remarked(shown, said):
    with collecting() as remarks:
        remark_if_lost(LEVELS, [shown])
    assert [said is not None and said in remark for remark in remarks] == ([True] if said else [])


def test_a_picture_whose_file_holds_few_levels_is_not_crushed():
    with collecting() as remarks:
        remark_if_lost(LEVELS // 10, [LEVELS // 10])
        remark_if_lost(LEVELS // 10, [LEVELS // 30])  # 10 became 4
    assert remarks == []


def test_what_single_precision_swallows_is_remarked():
    """Between 2^30 and 2^31 it knows every 128th number: all of these are 2^30."""
    values = 2.0**30 + np.arange(64.0).reshape(8, 8)
    with collecting() as remarks:
        numbers, _ = only_numbers(values)
    assert (numbers == 2.0**30).all()
    assert len(remarks) == 1
    assert "one value is (a blank picture)" in remarks[0]
    with collecting() as remarks:
        only_numbers(np.arange(64.0).reshape(8, 8))
    assert remarks == []
