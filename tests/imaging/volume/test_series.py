"""Series to volumes: what belongs together, in which order, and what is said about the rest."""

import numpy as np
import pytest
from dicom_series import AXIAL, header, lps_of, plane, truth, write_series, write_slice

from medfl.imaging.volume import find_series, plan_series, read_series

# Rows and columns turned by 30° round x and 20° round z: no axis of the patient's.
C, S = np.cos(np.radians(20)), np.sin(np.radians(20))
ROW = np.array([C, S, 0.0])
COLUMN = np.array([-S * np.cos(np.pi / 6), C * np.cos(np.pi / 6), 0.5])
OBLIQUE = (*ROW, *COLUMN)
NORMAL = np.cross(ROW, COLUMN)


def one(files, **options):
    volumes, exclusions = read_series(files, **options)
    assert exclusions == []
    assert len(volumes) == 1
    return volumes[0]


def assert_true(volume, atol=0.06):
    """Every valid voxel holds the value of the place where the affine says it lies.

    Values are stored in steps of 0.1.
    """
    pixels = volume.pixels
    expected = truth(lps_of(volume.affine, pixels.values.shape))
    valid = np.ones(expected.shape, bool) if pixels.valid is None else pixels.valid
    np.testing.assert_allclose(pixels.values[valid], expected[valid], rtol=0, atol=atol)
    assert valid.mean() > 0.5


def test_slices_are_sorted_by_place_not_by_number_or_name(tmp_path):
    files = write_series(tmp_path, [(0, 0, z) for z in (10, 0, 15, 5)], numbers=[1, 2, 3, 4])
    volume = one(files)
    assert volume.files == tuple(files[k] for k in (1, 3, 0, 2))
    assert volume.pixels.values.shape == (4, 6, 8)
    assert volume.pixels.spacing == (5, 2, 1)
    assert volume.notes == []
    # By hand: 1000 + 7·5 mm at the first pixel of the second slice; 5·2 mm a row, 3 a column.
    assert volume.pixels.values[1, 0, 0] == pytest.approx(1035, abs=0.01)
    assert volume.pixels.values[1, 1, 0] == pytest.approx(1045, abs=0.01)
    assert volume.pixels.values[1, 0, 1] == pytest.approx(1038, abs=0.01)
    # DICOM's left and back are RAS's minus right and minus front.
    expected = [[0, 0, -1, 0], [0, -2, 0, 0], [5, 0, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(volume.affine, expected, atol=1e-12)


@pytest.mark.parametrize("orientation", [AXIAL, OBLIQUE], ids=["axial", "oblique"])
def test_geometry_and_order_are_those_of_simpleitk(tmp_path, orientation):
    sitk = pytest.importorskip("SimpleITK")
    normal = np.cross(orientation[:3], orientation[3:])
    positions = [np.array([-40.0, 30.0, 12.0]) + 3.5 * k * normal for k in (4, 2, 0, 3, 1)]
    volume = one(write_series(tmp_path, positions, orientation=orientation), canonical=False)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    image = reader.Execute()
    np.testing.assert_allclose(volume.pixels.values, sitk.GetArrayFromImage(image), atol=1e-3)
    np.testing.assert_allclose(volume.pixels.spacing, image.GetSpacing()[::-1], atol=1e-6)
    for index in ((0, 0, 0), (4, 5, 7), (2, 1, 6)):
        place = image.TransformContinuousIndexToPhysicalPoint([float(i) for i in index[::-1]])
        ras = volume.affine @ [*index, 1]
        np.testing.assert_allclose(ras[:3] * [-1, -1, 1], place, atol=1e-6)
    assert_true(volume)


@pytest.mark.parametrize(
    ("orientation", "shape", "spacing"),
    [
        ((0, 1, 0, 0, 0, -1), (6, 8, 4), (2, 1, 5)),  # sagittal: rows run down, slices sideways
        ((1, 0, 0, 0, 0, -1), (6, 4, 8), (2, 5, 1)),  # coronal
        ((-1, 0, 0, 0, -1, 0), (4, 6, 8), (5, 2, 1)),  # axial, upside down
        (OBLIQUE, (4, 6, 8), (5, 2, 1)),
    ],
)
def test_axes_end_up_superior_posterior_left(tmp_path, orientation, shape, spacing):
    normal = np.cross(orientation[:3], orientation[3:])
    positions = [5 * k * normal for k in range(4)]
    volume = one(write_series(tmp_path, positions, orientation=orientation))
    assert volume.pixels.values.shape == shape
    np.testing.assert_allclose(volume.pixels.spacing, spacing, atol=1e-6)
    world = volume.affine[:3, :3]
    assert world[2, 0] > 0  # depth rises,
    assert world[1, 1] < 0  # rows go to the back,
    assert world[0, 2] < 0  # columns to the left
    assert_true(volume)


def test_a_missing_slice_is_told_and_interpolated(tmp_path):
    volume = one(write_series(tmp_path, [(0, 0, 5 * k) for k in (0, 1, 2, 4, 5)]))
    assert volume.pixels.values.shape[0] == 6
    assert volume.pixels.spacing[0] == pytest.approx(5)
    assert volume.notes == [
        "1 slice(s) missing between 10 and 20 mm along the normal: interpolated"
    ]
    assert_true(volume)


def test_uneven_steps_are_told_and_interpolated(tmp_path):
    heights = (0, 4, 8, 12, 16, 18.5, 22.5, 26.5)
    volume = one(write_series(tmp_path, [(0, 0, z) for z in heights]))
    # 26.5 mm are 6.6 usual steps of 4 mm, so 7 steps of 3.79 mm: the ends stay where they are.
    assert volume.pixels.spacing[0] == pytest.approx(26.5 / 7)
    assert volume.notes == ["uneven steps between slices, 2.5 to 4 mm: interpolated to 3.79 mm"]
    assert volume.pixels.values.shape[0] == 8
    assert_true(volume)


@pytest.mark.parametrize(
    ("gaps", "step", "note"),
    [
        # 4 mm at the base of the skull, 7 or 8 mm above it: nothing is missing there.
        ([4] * 10 + [7] * 9, 103 / 26, "uneven steps between slices, 4 to 7 mm"),
        ([4] * 6 + [8] * 5, 64 / 16, "uneven steps between slices, 4 to 8 mm"),
        ([7, 4, 4, 7, 4, 4, 7, 4], 41 / 10, "uneven steps between slices, 4 to 7 mm"),
    ],
)
def test_a_series_of_two_steps_is_one_volume_with_a_remark(tmp_path, gaps, step, note):
    heights = np.cumsum([0, *gaps])
    volume = one(write_series(tmp_path, [(0, 0, z) for z in heights], list(range(len(heights)))))
    assert volume.pixels.spacing[0] == pytest.approx(step)
    assert [note in one for one in volume.notes] == [True]
    assert_true(volume)


@pytest.mark.parametrize("gaps", [[5, 5, 5, 5, 5, 41], [5, 5, 11.5, 5, 18, 5, 11]])
def test_a_hole_that_is_no_multiple_of_the_step_counts_as_missing(tmp_path, gaps):
    heights = np.cumsum([0, *gaps])
    volumes, exclusions = read_series(
        write_series(tmp_path, [(0, 0, z) for z in heights], list(range(len(heights))))
    )
    assert volumes == []
    assert "are missing, too many" in exclusions[0].reason


def test_a_stack_with_too_many_holes_is_left_out(tmp_path):
    files = write_series(tmp_path, [(0, 0, z) for z in (0, 5, 10, 50)])
    volumes, exclusions = read_series(files)
    assert volumes == []
    assert [e.file for e in exclusions] == [str(f) for f in files]
    assert "7 of 11 slices are missing" in exclusions[0].reason


def test_a_slice_where_another_lies_is_listed(tmp_path):
    positions = [(0, 0, 0), (0, 0, 5), (0, 0, 10), (0, 0, 5)]
    files = write_series(tmp_path, positions, numbers=[1, 2, 3, 4])
    volumes, exclusions = read_series(files)
    assert volumes[0].files == tuple(files[:3])
    assert [(e.file, e.reason, e.twin) for e in exclusions] == [
        (str(files[3]), "lies where another slice does", str(files[1]))
    ]
    assert "1 slices lay where another already did" in volumes[0].notes[0]


def test_a_copied_file_is_listed(tmp_path):
    files = write_series(tmp_path, [(0, 0, z) for z in (0, 5, 10)])
    copy = tmp_path / "copy.dcm"
    copy.write_bytes(files[1].read_bytes())
    volumes, exclusions = read_series([*files, copy])
    assert volumes[0].pixels.values.shape[0] == 3
    assert exclusions[0].file == str(copy)
    assert exclusions[0].reason == "is a copy: the same SOP instance"
    assert exclusions[0].twin == str(files[1])


def test_mixed_echo_times_are_two_volumes(tmp_path):
    places = [(0, 0, z) for z in (0, 5, 10)]
    short = write_series(tmp_path / "a", places, EchoTime="10")
    long = write_series(tmp_path / "b", places, EchoTime="80")
    volumes, exclusions = read_series([*short, *long])
    assert exclusions == []
    assert {volume.files for volume in volumes} == {tuple(short), tuple(long)}
    assert all("split into 2 volumes" in volume.notes[0] for volume in volumes)


@pytest.mark.parametrize(
    ("name", "words"),
    [("TemporalPositionIdentifier", "temporal position"), ("AcquisitionNumber", "acquisition")],
)
def test_time_points_are_split_even_if_one_lacks_a_slice(tmp_path, name, words):
    places = [(0, 0, z) for z in (0, 5, 10)]
    first = write_series(tmp_path / "a", places, **{name: 1})
    second = write_series(tmp_path / "b", places[:2], **{name: 2})
    volumes, _ = read_series([*first, *second])
    assert [volume.pixels.values.shape[0] for volume in volumes] == [3, 2]
    assert f"one {words} of 2" in volumes[0].notes


def test_acquisitions_at_places_of_their_own_stay_together(tmp_path):
    """Many scanners number every block of slices anew."""
    a = write_series(tmp_path / "a", [(0, 0, z) for z in (0, 5)], AcquisitionNumber=1)
    b = write_series(tmp_path / "b", [(0, 0, z) for z in (10, 15)], AcquisitionNumber=2)
    assert one([*b, *a]).files == (*a, *b)


def test_a_scout_and_other_series_are_kept_apart(tmp_path):
    places = [(0, 0, z) for z in (0, 5, 10)]
    files = write_series(tmp_path / "a", places)
    other = write_series(tmp_path / "b", places, series="1.2.3.5")
    scout = write_slice(tmp_path / "scout.dcm", (0, 0, 0), (1, 0, 0, 0, 0, -1))
    wide = write_slice(tmp_path / "wide.dcm", (0, 0, 20), values=plane((0, 0, 20), shape=(9, 8)))
    volumes, exclusions = read_series([scout, wide, *files, *other])
    assert {volume.files for volume in volumes} == {tuple(files), tuple(other)}
    assert {(e.file, e.reason) for e in exclusions} == {
        (str(scout), "a single slice; a volume has at least two"),
        (str(wide), "a single slice; a volume has at least two"),
    }


def test_a_tilted_gantry_is_noticed_and_straightened(tmp_path):
    """Slices tilted by 15°, the table moving along z, as a head CT is taken."""
    angle = np.radians(15)
    column = (0, np.cos(angle), np.sin(angle))
    orientation = (1, 0, 0, *column)
    heights = np.arange(8) * 4.0
    shape = (24, 20)
    files = [
        write_slice(
            tmp_path / f"{k}.dcm",
            (0, 0, z),
            orientation,
            (1.0, 1.0),
            plane((0, 0, z), orientation, (1.0, 1.0), shape),
            InstanceNumber=8 - k,
            GantryDetectorTilt="15",
        )
        for k, z in enumerate(heights)
    ]
    volume = one(files, canonical=False)
    # 28 mm along z are 28·sin 15° = 7.2 mm of sideways drift, and 27.0 mm along the normal.
    assert volume.notes == [
        "slices drift sideways by 7.2 pixels (15.0° from their normal; the stated gantry tilt is "
        "15°): moved back in their planes"
    ]
    assert volume.pixels.spacing == pytest.approx((4 * np.cos(angle), 1, 1), abs=1e-6)
    axes = volume.affine[:3, :3] / volume.pixels.spacing
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    assert_true(volume)
    # Half the drift is lost at each end, 3.6 (4.1) of 24 rows.
    lost = (~volume.pixels.valid).any(axis=2).sum(axis=1)
    assert lost[0] in (4, 5)
    assert lost[4] == 0


def test_a_stated_tilt_without_drift_changes_nothing(tmp_path):
    volume = one(write_series(tmp_path, [(0, 0, z) for z in (0, 5, 10)], GantryDetectorTilt="12"))
    assert volume.notes == ["a gantry tilt of 12° is stated, but the slices stand square"]
    assert volume.pixels.valid is None


def test_padding_window_and_inversion_come_from_the_files(tmp_path):
    values = plane((0, 0, 0))
    values[0, 0] = -500  # stored 0
    files = [
        write_slice(
            tmp_path / f"{k}.dcm",
            (0, 0, k),
            values=values,
            PixelPaddingValue=0,
            WindowCenter=["40", "600"],
            WindowWidth=["400", "1500"],
            PhotometricInterpretation="MONOCHROME1",
        )
        for k in range(2)
    ]
    pixels = one(files).pixels
    assert pixels.window == (40, 400, "LINEAR")
    assert pixels.inverted
    assert (~pixels.valid).sum() == 2
    assert not pixels.valid[:, 0, 0].any()


def test_what_is_no_slice_is_listed_with_its_reason(tmp_path):
    files = write_series(tmp_path / "good", [(0, 0, z) for z in (0, 5, 10)])
    (tmp_path / "notes.txt").write_text("not an image")
    whole = files[0].read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[:600])
    lost = write_slice(tmp_path / "lost.dcm", (0, 0, 0))
    from pydicom import dcmread

    ds = dcmread(lost)
    del ds.ImagePositionPatient
    ds.save_as(lost)
    stacks, exclusions = find_series(tmp_path)
    assert [stack.files for stack in stacks] == [tuple(files)]
    reasons = {e.file.rsplit("/", 1)[1]: e.reason for e in exclusions}
    assert reasons.keys() == {"notes.txt", "cut.dcm", "lost.dcm"}
    assert "is not a DICOM file" in reasons["notes.txt"]
    assert reasons["lost.dcm"] == "states no position, so it has no place in a volume"


def test_a_file_with_damaged_pixels_takes_its_volume_along(tmp_path):
    files = write_series(tmp_path, [(0, 0, z) for z in (0, 5, 10)])
    files[1].write_bytes(files[1].read_bytes()[:-40])
    volumes, exclusions = read_series(files)
    assert volumes == []
    assert [e.file for e in exclusions] == [str(f) for f in files]
    reasons = [e.reason for e in exclusions]
    assert reasons[1].startswith("has pixels that cannot be decoded")
    assert [reasons[0], *reasons[2:]] == [f"has a fellow that {reasons[1]}"] * (len(files) - 1)


def test_planning_reads_no_pixels(tmp_path):
    files = write_series(tmp_path, [(0, 0, z) for z in (0, 5, 10)])
    for file in files:
        file.write_bytes(file.read_bytes()[:-40])
    stacks, exclusions = plan_series(files)
    assert len(stacks) == 1
    assert exclusions == []


def test_frames_with_functional_groups_are_a_volume(tmp_path):
    """An enhanced file: shared orientation, a position and a slope for each frame, shuffled."""
    from pydicom import Dataset, Sequence
    from pydicom.uid import EnhancedMRImageStorage

    def group(**items):
        ds = Dataset()
        for name, attributes in items.items():
            item = Dataset()
            for key, value in attributes.items():
                setattr(item, key, value)
            setattr(ds, name, Sequence([item]))
        return ds

    heights = (4, 0, 8, 2, 6)
    oblique = [f"{x:.12g}" for x in OBLIQUE]
    origin = np.array([3.0, -7.0, 11.0])
    places = [origin + z * NORMAL for z in heights]
    ds = header("1.2.3.9", NumberOfFrames=5, Rows=6, Columns=8, InstanceNumber=1)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.SharedFunctionalGroupsSequence = Sequence(
        [
            group(
                PlaneOrientationSequence={"ImageOrientationPatient": oblique},
                PixelMeasuresSequence={"PixelSpacing": ["2", "1"], "SliceThickness": "2"},
            )
        ]
    )
    ds.PerFrameFunctionalGroupsSequence = Sequence(
        [
            group(
                PlanePositionSequence={"ImagePositionPatient": [f"{x:.12g}" for x in place]},
                PixelValueTransformationSequence={
                    "RescaleSlope": "0.1",
                    "RescaleIntercept": str(-500 + k),
                    "RescaleType": "US",
                },
                FrameContentSequence={
                    "StackID": "1",
                    "InStackPositionNumber": heights[k] // 2 + 1,
                    "DimensionIndexValues": [heights[k] // 2 + 1],
                },
            )
            for k, place in enumerate(places)
        ]
    )
    stored = [(plane(p, OBLIQUE) + 500 - k) * 10 for k, p in enumerate(places)]
    ds.PixelData = np.rint(stored).astype("<u2").tobytes()
    path = tmp_path / "enhanced.dcm"
    ds.save_as(path, enforce_file_format=True)
    volume = one([path], canonical=False)
    assert volume.pixels.values.shape == (5, 6, 8)
    assert volume.files == (path,)
    assert_true(volume)
    np.testing.assert_allclose(volume.affine[:3, 3], origin * [-1, -1, 1], atol=1e-6)
    np.testing.assert_allclose(volume.affine[:3, 0], 2 * NORMAL * [-1, -1, 1], atol=1e-6)


def test_frames_without_places_are_left_out(tmp_path):
    files = [write_slice(tmp_path / "cine.dcm", (0, 0, 0), NumberOfFrames=2)]
    volumes, exclusions = read_series(files)
    assert volumes == []
    assert "has 2 frames that do not state where they lie" in exclusions[0].reason
