"""Dataset cards of stores that are small enough to work out by hand."""

from __future__ import annotations

import json
import re

import imagehash
import numpy as np
import pytest
from PIL import Image
from report.test_html import Page

from medfl.card.build import write_card
from medfl.card.content import hide_paths
from medfl.card.pictures import grey, pictures
from medfl.card.scan import scan
from medfl.cli import main
from medfl.errors import MedflError
from medfl.imaging.lookalikes import perceptual_hash
from medfl.store import DatasetInfo, Sample, write_store


def info(**changes):
    fields = {
        "name": "toy",
        "title": "Toy <set>",
        "classes": ("a", "b", "c"),
        "task": "multiclass",
        "modality": "XC",
        "synthetic": True,
        "citation": "A paper.",
        "licence": "MIT",
    }
    return DatasetInfo(**{**fields, **changes})


def noise(count, shape=(1, 32, 32), seed=0):
    """Pictures that have nothing in common."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


ROWS = [  # id, label, group, site, fold
    ("s0", "a", "g0", "north", "train"),
    ("s1", "a", "g1", "north", "test"),  # the pixels of s0
    ("s2", "a", "g2", "north", "train"),
    ("s3", "b", "g2", "south", "val"),  # nearly s2
    ("s4", "b", "g4", "south", "train"),
    ("s5", "b", "g5", "south", "test"),  # one colour
    ("s6", "a", "g6", "south", "test"),  # one colour, another one
]
AGES = ["40", "", "unknown", "55", "55", "61", "70"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The card of ROWS."""
    root = tmp_path_factory.mktemp("card")
    images = noise(7)
    images[1] = images[0]
    images[3] = images[2] ^ 1  # every pixel off by one
    images[5], images[6] = 90, 200
    samples = [
        Sample(name, (label,), group, site, "XC", fold, {"age": age})
        for (name, label, group, site, fold), age in zip(ROWS, AGES, strict=True)
    ]
    store = write_store(root / "toy", info(), samples, images)
    (root / "toy" / "prepare.json").write_text(
        json.dumps(
            {
                "kept": 7,
                "excluded": 1,
                "missing": 2,
                "warnings": ["the table /home/somebody/Smith^John/table.csv has no ages"],
                "settings": {"window": "lung"},
                "excluded_by_reason": {"the file is corrupt": 1},
                "excluded_files": [{"file": "s9", "reason": "the file is corrupt"}],
            }
        )
    )
    write_card(store, root / "card", sample=2)
    card = json.loads((root / "card" / "card.json").read_text())
    return card, root / "card", Page((root / "card" / "card.html").read_text())


def test_counts(built):
    card = built[0]
    assert [(one["name"], one["count"]) for one in card["classes"]] == [
        ("a", 4),
        ("b", 3),
        ("c", 0),
    ]
    assert card["class_by_site"] == {
        "rows": ["a", "b", "c"],
        "columns": ["south", "north"],
        "counts": [[1, 3], [3, 0], [0, 0]],
    }
    assert card["class_by_fold"]["columns"] == ["train", "val", "test"]
    assert card["class_by_fold"]["counts"] == [[2, 0, 2], [1, 1, 1], [0, 0, 0]]
    # South's most frequent class is right for 3, north's for 3, of 7; always `a` for 4.
    assert card["site_guess"] == {"overall": 4 / 7, "by_site": 6 / 7}
    assert card["groups"] == {
        "groups": 6,
        "several": 1,
        "largest": 2,
        "sizes": {"1": 5, "2": 1},
        "across_folds": 1,
        "across_sites": 1,
        "mixed_labels": 1,
    }
    assert card["images"]["blank"] == 2


def test_duplicates(built):
    found = built[0]["duplicates"]
    names = [[image["id"] for image in pair["images"]] for pair in found["pairs"]]
    assert names == [["s0", "s1"], ["s2", "s3"]]  # across folds and groups before folds alone
    assert [pair["kind"] for pair in found["pairs"]] == ["exact", "near"]
    zero = dict.fromkeys(("same_group", "other_group", "across_sites", "other_labels"), 0)
    assert found["exact"] == zero | {"pairs": 1, "images": 2, "other_group": 1, "across_folds": 1}
    assert found["near"] == {
        **{"pairs": 1, "images": 2, "same_group": 1, "other_group": 0, "across_folds": 1},
        **{"across_sites": 1, "other_labels": 1},
    }
    assert found["copied_from_training"] == {"val": 1, "test": 1}


def test_findings(built):
    texts = [one["text"] for one in built[0]["findings"]]
    for text in (
        "This is a part of the dataset: 2 of 10 images were not on the disk when it was prepared.",
        "1 file left out when it was prepared; most often: the file is corrupt.",
        "1 identical pair crosses official folds.",
        "1 near-duplicate pair crosses official folds.",
        "1 test image has a look-alike in the training fold.",
        "1 near-duplicate pair carries different labels: one of the two is wrong, or the label "
        "does not depend on the picture alone.",
        "1 group (patients) lies in two official folds.",
        "1 class has no image: c.",
        "2 classes have fewer than 20 images: a, b.",
        "The official val fold lacks 1 class: a.",
        "Missing for many images: age (29 %).",
        "2 images show nothing: nearly one colour.",
    ):
        assert text in texts
    levels = [one["level"] for one in built[0]["findings"]]
    assert levels == sorted(levels, key=("leak", "warning", "note").index)


def test_intensities_are_those_of_the_pixels(built):
    images = noise(7)
    images[3] = images[2] ^ 1
    images[5], images[6] = 90, 200
    south = images[[3, 4, 5, 6]]
    values = built[0]["intensities"]["by_site"]["south"][0]
    assert values["mean"] == pytest.approx(south.mean())
    assert values["std"] == pytest.approx(south.std())
    assert values["median"] == np.percentile(south, 50, method="inverted_cdf")


def test_page_is_self_contained_and_says_what_the_json_holds(built):
    card, folder, page = built
    source = (folder / "card.html").read_text()
    assert all(src.startswith(("data:image/", "#")) for src in page.sources)
    assert not re.search(r"url\(|@import|fetch\(|https?://", source)
    assert len(page.images) == 5 + 2  # two sheets, counts, intensities, attributes; two pairs
    assert all(len(image["alt"]) > 20 for image in page.images)
    assert all(one["text"] in page.text for one in card["findings"])
    assert "This dataset is synthetic" in page.text
    assert "Toy <set>" in page.text  # escaped in the source
    assert "a 1 3 b 3 0 c 0 0" in page.text  # class by site
    assert "exact 1 2 0 1 1 0 0 near 1 2 1 0 1 1 1 all 2 4 1 1 2 1 1" in page.text
    assert card["provenance"]["store_fingerprint"] in page.text
    assert (folder / "card.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_but_the_store_is_told(built):
    _, folder, _ = built
    for name in ("card.html", "card.json"):
        text = (folder / name).read_text()
        assert "Smith" not in text
        assert "/home/" not in text
        assert str(folder.parent) not in text
        assert "the table (a path) has no ages" in text
    assert hide_paths(r"in C:\Users\me\x.csv: mass/nodule, 1/2") == "in (a path): mass/nodule, 1/2"


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (1, 45, 45)])
def test_hashes_are_those_of_imagehash(tmp_path, shape):
    images = noise(20, shape)
    samples = [Sample(f"s{k}", ("a",), f"g{k}") for k in range(20)]
    found = scan(write_store(tmp_path / "toy", info(), samples, images)).hashes
    for image, ours in zip(images, found, strict=True):
        picture = Image.fromarray(image[0] if shape[0] == 1 else image.transpose(1, 2, 0))
        assert int(str(imagehash.phash(picture)), 16) == int(ours)


def test_hash_distance_and_grey_agree_with_the_libraries():
    thumbs = noise(40)[:, 0]
    ours = perceptual_hash(thumbs)
    theirs = [imagehash.phash(Image.fromarray(one)) for one in thumbs]
    assert np.bitwise_count(ours[0] ^ ours[1]) == theirs[0] - theirs[1]
    colour = noise(3, (3, 9, 9)).transpose(0, 2, 3, 1)
    expected = [np.asarray(Image.fromarray(one).convert("L")) for one in colour]
    np.testing.assert_array_equal(grey(colour), expected)


def test_labels_that_go_together(tmp_path):
    labels = [("a", "b"), ("a",), (), ("a", "b", "c"), ("c",)]
    samples = [Sample(f"s{k}", one, f"g{k}") for k, one in enumerate(labels)]
    store = write_store(tmp_path / "toy", info(task="multilabel"), samples, noise(5))
    card = write_card(store, tmp_path / "card")
    assert card["labels"]["empty"] == 1
    assert card["labels"]["per_image"] == {0: 1, 1: 2, 2: 1, 3: 1}
    assert card["labels"]["together"]["counts"] == [[3, 2, 1], [2, 2, 1], [1, 1, 2]]
    texts = [one["text"] for one in card["findings"]]
    assert any(text.startswith("1 image (20 %) has no label") for text in texts)
    assert card["samples"]["by_class"]["(no label)"] == ["s2"]
    assert (tmp_path / "card" / "labels_together.png").exists()


@pytest.mark.parametrize(
    ("shape", "dtype", "channels"),
    [
        ((2, 6, 8, 10), np.int16, ("t1", "t2")),
        ((1, 8, 8, 8), np.uint8, ()),
        ((5, 16, 16), np.int16, ()),
        ((3, 16, 16), np.uint8, ("lung", "bone", "brain")),
    ],
)
def test_volumes_sixteen_bits_and_many_channels(tmp_path, shape, dtype, channels):
    images = np.random.default_rng(0).integers(0, 200, (3, *shape)).astype(dtype)
    if dtype == np.int16:
        images = images * 100 - 10_000
    images[2] = images[0]
    samples = [Sample(f"s{k}", ("a",), f"g{k}") for k in range(3)]
    store = write_store(tmp_path / "toy", info(channels=channels), samples, images)
    card = write_card(store, tmp_path / "card")
    assert card["duplicates"]["exact"]["pairs"] == card["duplicates"]["all"]["pairs"] == 1
    means = [one["mean"] for one in card["intensities"]["all"]]
    spread = 100 if dtype == np.int16 else 1  # 16 bits: the ends are cut, levels are rounded
    exact = images.reshape(3, shape[0], -1).mean(axis=(0, 2))
    np.testing.assert_allclose(means, exact, atol=spread)
    Page((tmp_path / "card" / "card.html").read_text())


def test_a_volume_is_shown_by_its_three_middle_slices_with_the_head_on_top():
    volume = np.arange(2 * 4 * 6, dtype=np.uint8).reshape(1, 1, 2, 4, 6)
    shown = pictures(volume, colour=False)[0]
    assert shown.shape == (4, 6 + 6 + 4)
    np.testing.assert_array_equal(shown[:, :6], volume[0, 0, 1])
    np.testing.assert_array_equal(shown[:2, 6:12], volume[0, 0, [1, 0], 2])
    np.testing.assert_array_equal(shown[:2, 12:], volume[0, 0, [1, 0], :, 3])


def test_one_image_and_very_many_classes(tmp_path):
    store = write_store(tmp_path / "one", info(), [Sample("s", ("a",), "g")], noise(1))
    card = write_card(store, tmp_path / "card1")
    assert card["duplicates"]["all"]["pairs"] == 0
    names = tuple(f"k{k:03}" for k in range(100))
    samples = [Sample(f"s{k}", (names[k % 100],), f"g{k}", f"site{k}") for k in range(150)]
    store = write_store(tmp_path / "many", info(classes=names), samples, noise(150))
    card = write_card(store, tmp_path / "card2", sample=1)
    text = Page((tmp_path / "card2" / "card.html").read_text()).text
    assert "76 smaller classes are not shown" in text
    assert "126 smaller sites are not shown" in text
    assert "The first 30 of 150 are shown; all are in card.json" in text
    assert len(card["class_by_site"]["columns"]) == 150
    for path in (tmp_path / "card2").glob("*.png"):
        assert max(Image.open(path).size) < 5000  # few or many, a person can open it


def test_many_equal_images_are_said_to_be_a_lower_bound(tmp_path):
    samples = [Sample(f"s{k}", ("a",), f"g{k}") for k in range(120)]
    images = np.repeat(noise(1), 120, axis=0)
    card = write_card(write_store(tmp_path / "toy", info(), samples, images), tmp_path / "card")
    assert card["duplicates"]["exact"]["images"] == 120
    assert not card["duplicates"]["complete"]
    assert any("lower bounds" in one["text"] for one in card["findings"])


def test_a_site_that_gives_the_class_away(tmp_path):
    labels = ["a"] * 19 + ["b"] + ["a"] * 5 + ["b"] * 15  # north 95 % a; overall 24 of 40
    samples = [
        Sample(f"s{k}", (label,), f"g{k}", "north" if k < 20 else "south")
        for k, label in enumerate(labels)
    ]
    store = write_store(tmp_path / "toy", info(), samples, noise(40))
    texts = [one["text"] for one in write_card(store, tmp_path / "card")["findings"]]
    assert (
        "95 % of site north is a (60 % overall): a model can learn the site instead of the disease."
        in texts
    )


def test_command(tmp_path, capsys):
    samples = [Sample(f"s{k}", ("a",), f"g{k}") for k in range(3)]
    write_store(tmp_path / "stores" / "toy", info(), samples, noise(3))
    place = str(tmp_path / "stores" / "toy")
    arguments = ["inspect", place, "--work-root", str(tmp_path)]
    assert main(arguments) == 0
    folder = tmp_path / "cards" / "toy"
    assert str(folder / "card.html") in capsys.readouterr().out
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(arguments) == 0
    assert first == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main([*arguments, "--sample", "0"]) == 2
    assert "--sample must be from 1 to 50" in capsys.readouterr().err


def test_a_damaged_record(tmp_path):
    store = write_store(tmp_path / "toy", info(), [Sample("s", ("a",), "g")], noise(1))
    (tmp_path / "toy" / "prepare.json").write_text("[]")
    with pytest.raises(MedflError, match=r"prepare\.json .*--force"):
        write_card(store, tmp_path / "card")
