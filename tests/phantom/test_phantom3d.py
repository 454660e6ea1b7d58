"""The embedded volumes: simulated as written down, and read as a hospital's files."""

import csv

import numpy as np
import pytest

from medfl.datasets.catalog.phantom3d import PHANTOM3D
from medfl.imaging.volume import VolumePreprocessor
from medfl.phantom.volume import (
    CLASSES,
    LESION_HU,
    SCANNERS,
    acquire,
    draw_abdomen,
    hounsfield,
    lesion_depth,
)
from medfl.phantom.volume_writer import CtRecipe, write_phantom3d


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "phantom3d"
    write_phantom3d(folder, CtRecipe(patients=10))
    return folder


def rows(folder):
    with (folder / "labels.csv").open(newline="") as table:
        return list(csv.DictReader(table))


def person(lesion, seed=3):
    return draw_abdomen(np.random.default_rng(seed), lesion)


def at(someone, place):
    x, y, z = (np.array([float(p)]) for p in place)
    return float(hounsfield(someone, x, y, z)[0])


@pytest.mark.parametrize("lesion", CLASSES)
def test_tissues_lie_where_they_should(lesion):
    someone = person(lesion)
    assert at(someone, (150, 0, 0)) == -1000
    assert at(someone, someone.centre) == pytest.approx(LESION_HU[lesion])
    assert at(someone, (0, 0.65 * someone.body[1], 0)) == pytest.approx(someone.tissue[2])
    assert at(someone, (70, 0, 0)) == pytest.approx(
        someone.tissue[0]
    )  # on the left, far from the organ


def test_only_the_lesion_tells_the_class():
    first, second = person("cyst"), person("lobulated")
    assert (first.body, first.liver, first.centre, first.radius) == (
        second.body,
        second.liver,
        second.centre,
        second.radius,
    )


def test_a_lobulated_lesion_is_less_round_but_about_as_large():
    axis = np.arange(-50, 51, 2.0)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)

    def inside(someone):
        cx, cy, cz = someone.centre
        return lesion_depth(someone, x + cx, y + cy, z + cz) > 0

    def roundness(mask, radius):
        """Share of the lesion within the sphere of its size."""
        return (mask & (x**2 + y**2 + z**2 < radius**2)).sum() / mask.sum()

    ratios = []
    for seed in range(6):
        solid, lobulated = person("solid", seed), person("lobulated", seed)
        ball, star = inside(solid), inside(lobulated)
        assert ball.sum() * 8 == pytest.approx(4 / 3 * np.pi * solid.radius**3, rel=0.03)
        assert roundness(ball, solid.radius) == 1
        assert roundness(star, solid.radius) < 0.85
        ratios.append(star.sum() / ball.sum())
    assert 0.7 < np.mean(ratios) < 1.3


def test_a_scanner_calibrates_and_adds_noise():
    """In the air of a corner: gain · (-1000) + offset, and the stated noise times the gain."""
    for scanner in SCANNERS:
        image = acquire(person("cyst"), scanner, np.random.default_rng(0))
        assert image.shape == scanner.matrix
        air = image[:, :3, :3]
        assert air.mean() == pytest.approx(scanner.offset - 1000 * scanner.gain, abs=12)
        assert air.std() == pytest.approx(scanner.gain * scanner.noise, rel=0.2)


def test_sites_export_series_and_nifti_and_both_are_read_alike(folder):
    """What is read from the files is what the scanner measured, slice by slice, in place."""
    kinds = set()
    for number, row in enumerate(rows(folder)):
        scanner = next(one for one in SCANNERS if one.site == row["site"])
        kinds.add(scanner.export)
        rng = np.random.default_rng([2025, number])
        rng.choice(4, p=(0.3, 0.3, 0.2, 0.2))
        rng.choice(3, p=(1, 0, 0))
        expected = acquire(draw_abdomen(rng, row["label"]), scanner, rng)
        volume = VolumePreprocessor(24).read(folder / row["volume"])
        assert volume.pixels.values.shape == scanner.matrix
        assert volume.pixels.spacing == pytest.approx(scanner.spacing, abs=1e-5)
        expected = np.clip(expected, -1400, None) if scanner.export == "dicom" else expected
        np.testing.assert_allclose(volume.pixels.values, expected, atol=0.51)
        middle = (np.array(scanner.matrix) - 1) / 2
        np.testing.assert_allclose(volume.affine @ [*middle, 1], [0, 0, 0, 1], atol=1e-4)
    assert "dicom" in kinds
    assert len(kinds) > 1


def test_the_catalog_reads_it(folder):
    raw = PHANTOM3D.read_folder(folder, 16)
    assert [sample.labels[0] for sample in raw.samples] == [row["label"] for row in rows(folder)]
    assert len({sample.group for sample in raw.samples}) == 10
    images = np.stack(list(raw.images))
    assert images.shape == (10, 1, 16, 16, 16)
    assert images.dtype == np.uint8
    # 12 mm voxels round the middle: the air beside the person is black, the spine is white.
    assert images[:, 0, 8, 0, 0].max() == 0
    assert images[:, 0, 8, 11, 7:9].max(axis=-1).min() > 200
    assert PHANTOM3D.info(raw).spacing == (12, 12, 12)
    assert PHANTOM3D.info(raw).synthetic


def test_the_same_recipe_gives_the_same_bytes(folder, tmp_path):
    write_phantom3d(tmp_path / "again", CtRecipe(patients=2))
    for row in rows(folder)[:2]:
        one, two = folder / row["volume"], tmp_path / "again" / row["volume"]
        if one.is_dir():
            for file in one.iterdir():
                assert file.read_bytes() == (two / file.name).read_bytes()
        else:
            read = VolumePreprocessor(24).read
            np.testing.assert_array_equal(read(one).pixels.values, read(two).pixels.values)
