"""NIfTI headers that are damaged or say little, single slices, and pairs of files."""

import struct

import nibabel
import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.imaging.kinds import header_of, kind_of, voxels_of
from medfl.imaging.source_size import source_size
from medfl.imaging.volume import as_image, open_nifti, read_nifti, read_nifti_or_slice

RAS = np.diag([2.0, 3.0, 4.0, 1.0])
NAN, INF = float("nan"), float("inf")


def save(path, shape=(5, 6, 7), affine=RAS, kind=np.float32, damage=(), codes=None):
    """Voxels 0, 1, 2 …; ``damage`` is (format, offset, values …) on the file's bytes."""
    voxels = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    image = nibabel.Nifti1Image(voxels, affine)
    if codes is not None:
        image.set_sform(affine if codes[0] else None, codes[0])
        image.set_qform(affine if codes[1] else None, codes[1])
    nibabel.save(image, path)
    if damage:
        data = bytearray(path.read_bytes())
        form, offset, *values = damage
        struct.pack_into(form, data, offset, *values)
        path.write_bytes(data)
    return path


SROW = 280


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (("<12f", SROW, *[NAN] * 12), "singular affine, or one of NaN"),
        (("<f", SROW, NAN), "singular affine, or one of NaN"),
        (("<f", SROW + 12, INF), "singular affine, or one of NaN"),  # of the place alone
        (("<4f", SROW + 16, 0, 0, 0, 0), "singular affine, or one of NaN"),
        (("<4f", SROW + 16, 2, 0, 0, 0), "singular affine, or one of NaN"),  # the first row again
        (("<f", SROW, 1e30), "an impossible size"),
        (("<f", SROW, 1e-30), "an impossible size"),
        (("<f", 108, -1e6), "damaged, or no NIfTI file"),  # voxels before the file
        (("<f", 108, NAN), "damaged, or no NIfTI file"),
        (("<h", 40, 99), "damaged, or no NIfTI file"),  # 99 axes
        (("<h", 42, 0), "its shape is 0×6×7"),
        (("<h", 42, -5), "its shape is -5×6×7"),
        (("<h", 42, 30000), "is damaged"),  # more voxels than there are
        (("<h", 70, 9999), "damaged, or no NIfTI file"),  # of no known type
        (("<2f", 112, 1.0, NAN), "damaged, or no NIfTI file"),  # intercept
        (("<2f", 112, 3e38, 3e38), "holds no number"),  # all but the first two voxels …
    ],
)
def test_damage_is_one_clear_error(tmp_path, damage, words):
    path = save(tmp_path / "a.nii", damage=damage)
    if words == "holds no number":  # … which are made some of them
        data = bytearray(path.read_bytes())
        struct.pack_into("<2f", data, 352, 9.0, 9.0)
        path.write_bytes(data)
    with pytest.raises(MedflError, match=words) as caught:
        read_nifti(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("unit", [7, 5, 2 | 56])
def test_an_unknown_unit_is_mm_and_noted_if_it_is_one_of_length(tmp_path, unit):
    volume = read_nifti(save(tmp_path / "a.nii", damage=("<B", 123, unit)))
    assert volume.pixels.spacing == pytest.approx((4, 3, 2))
    told = ["the unit of its lengths is unknown: taken for mm"] if unit & 7 != 2 else []
    assert volume.notes == told


def test_micrometres_are_no_singular_affine(tmp_path):
    tiny = np.diag([0.5, 0.5, 0.5, 1])
    volume = read_nifti(save(tmp_path / "a.nii", affine=tiny, damage=("<B", 123, 3)))
    assert volume.pixels.spacing == pytest.approx((5e-4, 5e-4, 5e-4))


def test_a_damaged_rotation_beside_a_good_sform_is_noted(tmp_path):
    path = save(tmp_path / "a.nii", codes=(2, 1), damage=("<3f", 256, 9.0, 9.0, 9.0))
    assert read_nifti(path).notes == ["sform and qform differ: sform was used"]


def test_sizes_of_nothing_and_an_infinite_slope_are_noted(tmp_path, capfd):
    path = save(tmp_path / "a.nii", codes=(0, 1), damage=("<3f", 80, 0.0, 0.0, 0.0))
    volume = read_nifti(path)
    assert volume.pixels.spacing == (1, 1, 1)
    assert volume.notes == ["voxel sizes of 0 are taken for 1 mm"]
    volume = read_nifti(save(path, damage=("<2f", 112, INF, 0.0)))
    assert volume.notes == ["its scl_slope or scl_inter is infinite: voxels are read as stored"]
    assert volume.pixels.values.max() == 5 * 6 * 7 - 1
    assert capfd.readouterr().err == ""  # nibabel's own log


@pytest.mark.parametrize(
    ("codes", "frame"),
    [((1, 0), "scanner"), ((2, 1), "scanner"), ((0, 1), "scanner"), ((4, 1), "mni"), ((0, 0), "")],
)
def test_the_world_that_a_file_states(tmp_path, codes, frame):
    assert open_nifti(save(tmp_path / "a.nii", codes=codes)).frame == frame


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        # Column i runs to the right, j to the front, k to the head; shown are: back and left,
        ((4, 5, 1), lambda v: v[::-1, ::-1, 0].T),
        ((4, 5), lambda v: v[::-1, ::-1].T),
        ((4, 5, 1, 1), lambda v: v[::-1, ::-1, 0, 0].T),
        ((4, 5, 1, 3), lambda v: v[::-1, ::-1, 0, 0].T),
        # feet and left,
        ((4, 1, 5), lambda v: v[::-1, 0, ::-1].T),
        # feet and back.
        ((1, 4, 5), lambda v: v[0, ::-1, ::-1].T),
    ],
)
def test_one_slice_is_an_image_and_stands_as_it_is_shown(tmp_path, shape, expected):
    path = save(tmp_path / "a.nii.gz", shape)
    volume = read_nifti_or_slice(path)
    image = as_image(volume.pixels)
    voxels = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(image.values, expected(voxels))
    sizes = [size for size, side in zip((2, 3, 4), (*shape, 1)[:3], strict=True) if side > 1]
    assert image.spacing == pytest.approx(tuple(reversed(sizes)))
    rows, columns = image.values.shape
    assert source_size(path) == f"{rows}x{columns}"
    # The affine still leads from an index to the place: that of the first voxel, (0, 0, 0).
    at = np.argwhere(volume.pixels.values == 0)[0]
    np.testing.assert_allclose(volume.affine @ [*at, 1], [0, 0, 0, 1], atol=1e-6)
    with pytest.raises(MedflError, match="is no volume"):
        read_nifti(path)


def test_a_slice_without_a_frame_stands_as_it_is_stored(tmp_path):
    """As ``picture.T[:, :, None]``, with which programs save pictures."""
    picture = np.arange(20, dtype=np.uint8).reshape(4, 5)
    image = nibabel.Nifti1Image(picture.T[:, :, None], None)
    image.header.set_sform(None, 0)
    image.header.set_qform(None, 0)
    nibabel.save(image, tmp_path / "a.nii")
    pixels = as_image(read_nifti_or_slice(tmp_path / "a.nii").pixels)
    np.testing.assert_array_equal(pixels.values, picture)
    assert pixels.value_range == (0, 255)


def test_a_slice_whose_own_thickness_is_nothing(tmp_path):
    thin = RAS.copy()
    thin[2, 2] = 0
    path = save(tmp_path / "a.nii", (4, 5, 1), codes=(2, 0))
    save(path, (4, 5, 1), damage=("<f", SROW + 32 + 8, 0.0))
    volume = read_nifti_or_slice(path)
    assert volume.pixels.spacing == pytest.approx((1, 3, 2))


@pytest.mark.parametrize(
    "kind", [nibabel.Nifti1Pair, nibabel.AnalyzeImage, nibabel.Spm99AnalyzeImage]
)
@pytest.mark.parametrize("ending", [".hdr", ".hdr.gz"])
def test_pairs_of_header_and_voxels(tmp_path, kind, ending):
    voxels = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
    path = tmp_path / f"a{ending}"
    nibabel.save(kind(voxels, RAS), path)
    assert kind_of(path) == "nifti"
    assert voxels_of(path) == tmp_path / f"a{ending.replace('hdr', 'img')}"
    assert header_of(voxels_of(path)) == path
    volume = read_nifti(path)
    assert volume.pixels.spacing == pytest.approx((4, 3, 2))
    if kind is nibabel.Nifti1Pair:
        np.testing.assert_array_equal(volume.pixels.values, voxels[::-1, ::-1].transpose(2, 1, 0))
        assert volume.notes == []
    else:
        assert sorted(volume.pixels.values.ravel()) == sorted(voxels.ravel())
        assert volume.notes[0].startswith("an ANALYZE file does not state")
        assert volume.frame == ""
    voxels_of(path).unlink()
    with pytest.raises(MedflError, match="header whose voxels"):
        read_nifti(path)
    assert voxels_of(tmp_path / "a.nii") is None
    assert header_of(path) is None


@pytest.mark.parametrize(("intercept", "said"), [(3e38, True), (5.0, False)])
def test_an_intercept_that_swallows_the_voxels_is_noted(tmp_path, intercept, said):
    """Beside 3e38, which has 16 digits, a voxel of up to 209 is nothing."""
    path = save(tmp_path / "a.nii", kind=np.int16, damage=("<2f", 112, 1.0, intercept))
    notes = read_nifti(path).notes
    assert any("one value is (a blank picture)" in note for note in notes) is said
