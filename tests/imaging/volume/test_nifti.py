"""NIfTI files, and the steps that all readers share: canonical axes and spacing."""

import gzip

import nibabel
import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.imaging.pixels import Pixels
from medfl.imaging.volume import Volume, canonical, read_nifti, resample

# RAS+: columns of a 2×3×4 mm grid, x to the left (as many scanners write it), z to the head.
LAS = np.array([[-2.0, 0, 0, 30], [0, 3, 0, -20], [0, 0, 4, 5], [0, 0, 0, 1]])


def ramp(shape, affine):
    """Values that say where they lie: 100 + 2x + 3y + 5z in RAS+ mm."""
    places = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    return (places @ [2.0, 3.0, 5.0] + 100).astype(np.float32)


def save(path, data, affine=LAS, **codes):
    image = nibabel.Nifti1Image(data, affine)
    image.set_sform(affine if codes.get("sform", 2) else None, codes.get("sform", 2))
    image.set_qform(affine if codes.get("qform", 1) else None, codes.get("qform", 1))
    if "units" in codes:
        image.header.set_xyzt_units(codes["units"])
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_axes_by_hand(tmp_path, name):
    data = np.zeros((5, 6, 7), np.float32)
    data[4, 5, 6] = 1  # the last in each: left (x falls), front, head
    volume = read_nifti(save(tmp_path / name, data))
    assert volume.pixels.values.shape == (7, 6, 5)
    assert volume.pixels.spacing == (4, 3, 2)
    # Depth to the head: last. Rows to the back: the front is first. Columns to the left: last.
    assert np.argwhere(volume.pixels.values).tolist() == [[6, 0, 4]]
    assert volume.affine @ [6, 0, 4, 1] == pytest.approx([30 - 8, -20 + 15, 5 + 24, 1])
    assert volume.notes == []


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PIR", "SAL", "ILP", "ASR"])
def test_every_orientation_gives_the_same_volume(tmp_path, axes):
    """Against nibabel's own reorientation of the same picture."""
    from nibabel import orientations as o

    plain = nibabel.Nifti1Image(ramp((5, 6, 7), LAS), LAS)
    turn = o.ornt_transform(o.io_orientation(LAS), o.axcodes2ornt(axes))
    nibabel.save(plain.as_reoriented(turn), tmp_path / "a.nii")
    volume = read_nifti(tmp_path / "a.nii")
    reference = nibabel.as_closest_canonical(plain).get_fdata()  # (R, A, S)
    np.testing.assert_array_equal(volume.pixels.values, reference[::-1, ::-1].transpose(2, 1, 0))
    np.testing.assert_allclose(
        ramp(volume.pixels.values.shape, volume.affine), volume.pixels.values
    )


def test_it_lies_where_simpleitk_puts_it(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    angle = np.radians(25)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    path = save(tmp_path / "a.nii.gz", ramp((5, 6, 7), turn @ LAS), turn @ LAS)
    volume = read_nifti(path, canonical=False)  # (i, j, k) as stored
    image = sitk.ReadImage(str(path))
    np.testing.assert_allclose(volume.pixels.values, sitk.GetArrayFromImage(image).T)
    place = image.TransformIndexToPhysicalPoint((1, 2, 3))
    ras = volume.affine @ [1, 2, 3, 1]
    np.testing.assert_allclose(ras[:3] * [-1, -1, 1], place, atol=1e-4)


def test_slope_and_intercept_are_applied(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), LAS)
    image.header.set_slope_inter(0.5, -1000)
    path = tmp_path / "a.nii"
    nibabel.save(image, path)
    raw = bytearray(path.read_bytes())
    raw[352:354] = (300).to_bytes(2, "little")  # the first stored value, after the header
    path.write_bytes(raw)
    values = read_nifti(path, canonical=False).pixels.values
    assert values.dtype == np.float32
    assert values[0, 0, 0] == -850
    assert values[1, 1, 1] == -1000


def test_of_four_dimensions_the_first_volume_is_read(tmp_path):
    data = np.stack([ramp((5, 6, 7), LAS) + 1000 * t for t in range(3)], axis=-1)
    volume = read_nifti(save(tmp_path / "a.nii.gz", data))
    assert volume.notes == ["the first of 3 volumes in the file"]
    np.testing.assert_allclose(volume.pixels.values, ramp((7, 6, 5), volume.affine))


@pytest.mark.parametrize(
    ("codes", "note"),
    [
        ({"sform": 0, "qform": 0}, "neither sform nor qform is set"),
        ({"units": "meter"}, "lengths are in meters: converted to mm"),
    ],
)
def test_what_is_odd_about_the_place_is_noted(tmp_path, codes, note):
    volume = read_nifti(save(tmp_path / "a.nii", ramp((5, 6, 7), LAS), **codes))
    assert len(volume.notes) == 1
    assert note in volume.notes[0]
    scale = 1000 if "units" in codes else 1
    assert volume.pixels.spacing == pytest.approx((4 * scale, 3 * scale, 2 * scale))


def test_differing_sform_and_qform_and_shear_are_noted(tmp_path):
    image = nibabel.Nifti1Image(ramp((5, 6, 7), LAS), LAS)
    moved = LAS.copy()
    moved[0, 3] += 10
    image.set_qform(moved, 1)
    image.set_sform(LAS, 2)
    nibabel.save(image, tmp_path / "a.nii")
    volume = read_nifti(tmp_path / "a.nii")
    assert volume.notes == ["sform and qform differ: sform was used"]
    assert volume.affine[0, 3] == pytest.approx(30)
    sheared = LAS.copy()
    sheared[1, 2] = 1
    volume = read_nifti(save(tmp_path / "b.nii", ramp((5, 6, 7), sheared), sheared, qform=0))
    assert "not at right angles" in volume.notes[0]


def test_voxels_that_are_no_numbers_are_padding(tmp_path):
    data = ramp((5, 6, 7), LAS)
    data[0, 0, 0] = np.nan
    pixels = read_nifti(save(tmp_path / "a.nii", data), canonical=False)
    assert pixels.notes == ["1 voxels are not numbers (NaN or infinite): taken for padding"]
    assert np.argwhere(~pixels.pixels.valid).tolist() == [[0, 0, 0]]
    assert pixels.pixels.values[0, 0, 0] == np.nanmin(data)


def broken(tmp_path, kind):
    path = tmp_path / "a.nii.gz"
    if kind == "missing":
        return path
    if kind == "text":
        path.write_bytes(gzip.compress(b"hello" * 100))
    elif kind == "no gzip":
        path.write_bytes(b"hello" * 100)
    elif kind == "cut":
        save(path, np.random.default_rng(0).normal(size=(20, 20, 20)))
        path.write_bytes(path.read_bytes()[:20_000])
    elif kind == "flat":
        save(path, np.zeros((5, 6), np.float32))
    elif kind == "one slice":
        save(path, np.zeros((5, 6, 1), np.float32))
    elif kind == "vectors":
        save(path, np.zeros((5, 6, 7, 1, 3), np.float32))
    elif kind == "no numbers":
        save(path, np.full((5, 6, 7), np.nan, np.float32))
    elif kind == "colour":
        rgb = np.zeros((5, 6, 7), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
        save(path, rgb)
    elif kind == "singular":
        path = save(tmp_path / "a.nii", np.zeros((5, 6, 7), np.float32), qform=0)
        raw = bytearray(path.read_bytes())
        raw[296:312] = bytes(16)  # srow_y
        path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "does not exist"),
        ("text", "damaged, or no NIfTI file"),
        ("no gzip", "damaged, or no NIfTI file"),
        ("cut", "is damaged"),
        ("flat", "is no volume: its shape is 5×6"),
        ("one slice", "is no volume: its shape is 5×6×1"),
        ("vectors", "is no volume: its shape is 5×6×7×1×3"),
        ("no numbers", "holds no number: all its voxels are NaN"),
        ("colour", "holds colours"),
        ("singular", "has a singular affine"),
    ],
)
def test_what_is_no_volume_is_one_clear_error(tmp_path, kind, words):
    path = broken(tmp_path, kind)
    with pytest.raises(MedflError, match=words) as caught:
        read_nifti(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def volume_of(shape=(9, 10, 11), spacing=(4.0, 3.0, 2.0)):
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-5, 7, 9)
    return Volume(Pixels(ramp(shape, affine), spacing), affine)


@pytest.mark.parametrize("target", [2.0, 1.5, (4.0, 1.0, 1.0)])
def test_resampling_to_finer_steps_keeps_values_where_they_lie(target):
    finer = resample(volume_of(), target)
    steps = np.broadcast_to(target, 3)
    assert finer.pixels.spacing == pytest.approx(tuple(steps))
    size = np.array([36, 30, 22]) / steps  # the grid covers the old one, edge to edge
    assert finer.pixels.values.shape == tuple(np.rint(size).astype(int))
    inner = (slice(3, -3),) * 3  # beyond the outermost centres the edge is repeated
    expected = ramp(finer.pixels.values.shape, finer.affine)
    np.testing.assert_allclose(finer.pixels.values[inner], expected[inner], atol=1e-3)


def test_resampling_is_simpleitks_linear_interpolation():
    sitk = pytest.importorskip("SimpleITK")
    values = np.random.default_rng(0).normal(size=(6, 7, 8)).astype(np.float32)
    affine = np.diag([4.0, 3.0, 2.0, 1.0])
    finer = resample(Volume(Pixels(values, (4.0, 3.0, 2.0)), affine), 1.25)
    image = sitk.GetImageFromArray(values)  # its axes are ours reversed, its world too
    image.SetSpacing((2, 3, 4))
    origin = finer.affine[:3, 3][::-1].tolist()
    size = finer.pixels.values.shape[::-1]
    grid = sitk.Image(size, sitk.sitkFloat32)
    grid.SetSpacing((1.25,) * 3)
    grid.SetOrigin(origin)
    expected = sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear))
    inner = (slice(3, -3),) * 3
    np.testing.assert_allclose(finer.pixels.values[inner], expected[inner], atol=1e-4)


def test_coarser_steps_do_not_alias():
    """Stripes of one voxel: picking every second would give all black or all white."""
    values = np.zeros((8, 8, 32), np.float32)
    values[..., ::2] = 100
    coarse = resample(Volume(Pixels(values, (1.0, 1.0, 1.0)), np.eye(4)), (1.0, 1.0, 2.0))
    assert coarse.pixels.values.shape == (8, 8, 16)
    inner = coarse.pixels.values[..., 2:-2]
    assert abs(inner - 50).max() < 1
    assert coarse.affine[2, 3] == 0.5  # the first new centre, between the first two old ones


def test_padding_follows_the_axes_and_the_spacing():
    volume = volume_of((4, 4, 4), (1.0, 1.0, 1.0))
    valid = np.ones((4, 4, 4), bool)
    valid[0] = False
    pixels = Pixels(volume.pixels.values, volume.pixels.spacing, valid=valid)
    turned = canonical(Volume(pixels, volume.affine))  # from (R, A, S): reversed, two flips
    assert not turned.pixels.valid[:, :, 3].any()
    assert turned.pixels.valid.sum() == 48
    finer = resample(turned, 0.5)
    assert finer.pixels.valid.shape == (8, 8, 8)
    assert not finer.pixels.valid[:, :, 6:].any()
    assert finer.pixels.valid[:, :, :6].all()


def test_a_spacing_that_makes_too_many_voxels_is_refused():
    """9 × 10 × 11 voxels of 100 m at 1 mm: 9.9e17 voxels of 4 bytes."""
    with pytest.raises(MedflError, match=r"900000×1000000×1100000 voxels, more than 4\.3 GB"):
        resample(volume_of(spacing=(1e5, 1e5, 1e5)), 1.0)


def test_a_spacing_that_makes_no_sense_is_refused():
    with pytest.raises(MedflError, match="must be positive mm"):
        resample(volume_of(), (1.0, 0.0, 1.0))
