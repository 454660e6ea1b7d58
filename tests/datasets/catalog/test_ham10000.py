import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from medfl.datasets.prepare import prepare
from medfl.errors import MedflError
from medfl.store import Store

HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"


def ham(root, rows=6, separator=",", name="HAM10000_metadata"):
    """The published layout, with tiny images."""
    folder = root / "ham10000"
    lines = [HEADER.replace(",", separator)]
    for i in range(rows):
        part = folder / f"HAM10000_images_part_{1 + i % 2}"
        part.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 15), (40 * i, 0, 255)).save(part / f"ISIC_{i:07d}.jpg", quality=95)
        cells = [f"HAM_{i // 2:07d}", f"ISIC_{i:07d}", ["nv", "mel"][i // 2 % 2], "histo", "50.0"]
        lines.append(separator.join([*cells, "male", "back", ["rosendahl", "vidir_modern"][i % 2]]))
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def refused(tmp_path, match, dataset="ham10000-8"):
    with pytest.raises(MedflError, match=match):
        prepare(dataset, tmp_path, tmp_path / "work")
    assert not list((tmp_path / "work").rglob("*.*"))


@pytest.mark.parametrize(
    ("separator", "name"),
    [(",", "HAM10000_metadata"), (",", "HAM10000_metadata.csv"), ("\t", "HAM10000_metadata.tab")],
)
def test_ham10000_layouts(tmp_path, separator, name):
    ham(tmp_path, separator=separator, name=name)
    store = Store.open(prepare("ham10000-8", tmp_path, tmp_path / "work"))
    assert store.images.shape == (6, 3, 8, 8)
    assert list(store.groups[:3]) == ["HAM_0000000", "HAM_0000000", "HAM_0000001"]
    assert list(store.sites[:2]) == ["rosendahl", "vidir_modern"]
    assert [store.info.classes[k] for k in store.labels] == ["nv", "nv", "mel", "mel", "nv", "nv"]
    assert np.abs(store.images[3].mean(axis=(1, 2)) - [120, 0, 255]).max() < 6


def test_the_folder_may_lie_under_raw(tmp_path):
    ham(tmp_path / "raw")
    assert len(Store.open(prepare("ham10000-8", tmp_path, tmp_path / "work"))) == 6


def test_fingerprint_follows_the_pixels_of_the_source(tmp_path):
    folder = ham(tmp_path)

    def fingerprint(work):
        return Store.open(prepare("ham10000-8", tmp_path, tmp_path / work)).info.source_fingerprint

    before = fingerprint("1")
    assert fingerprint("2") == before
    image = folder / "HAM10000_images_part_1" / "ISIC_0000000.jpg"
    Image.new("RGB", (20, 15), (1, 2, 3)).save(image)
    assert fingerprint("3") != before


def test_metadata_without_sources(tmp_path):
    folder = ham(tmp_path)
    table = folder / "HAM10000_metadata"
    rows = [line.rsplit(",", 1)[0] for line in table.read_text().splitlines()]
    table.write_text("\n".join(rows))
    store = Store.open(prepare("ham10000-8", tmp_path, tmp_path / "work"))
    assert set(store.sites) == {""}
    assert "no column `dataset`" in store.info.notes


def test_a_kaggle_copy(tmp_path):
    """Nested and wrapped, each part twice in two spellings, other suffixes, more images beside."""
    folder = ham(tmp_path)
    inner = tmp_path / "HAM-10000" / "archive"
    inner.parent.mkdir()
    folder.rename(inner)
    part = inner / "HAM10000_images_part_1"
    nested = part / part.name
    nested.mkdir()
    for image in part.glob("*.jpg"):
        image.rename(nested / f"{image.stem}.JPG")
    shutil.copytree(part, inner / "ham10000_images_part_1")
    (inner / "HAM10000_metadata").rename(inner / "HAM10000_metadata.csv")
    segmentations = inner / "HAM10000_segmentations_lesion_tschandl"
    segmentations.mkdir()
    (segmentations / "ISIC_0000001_segmentation.png").write_bytes(b"")
    store = Store.open(prepare("ham10000-8", tmp_path, tmp_path / "work"))
    assert list(store.ids) == [f"ISIC_{i:07d}" for i in range(6)]
    record = json.loads((store.path / "prepare.json").read_text())
    assert record["warnings"] == ["3 image files are equal copies of others: each counts once"]
    assert (record["kept"], record["missing"], record["excluded"]) == (6, 0, 4)
    assert record["excluded_by_reason"] == {
        "is an equal copy of another image": 3,
        "is no image and no table of the published set": 1,
    }


def test_images_in_one_folder_with_other_names(tmp_path):
    folder = ham(tmp_path)
    (folder / "all").mkdir()
    for image in list(folder.glob("*part*/*.jpg")):
        image.rename(folder / "all" / image.name)
    (folder / "all" / "skin.jpg").write_bytes(b"")
    assert len(Store.open(prepare("ham10000-8", tmp_path, tmp_path / "work"))) == 6


def test_one_image_in_both_parts(tmp_path):
    folder = ham(tmp_path)
    other = folder / "HAM10000_images_part_2" / "ISIC_0000002.jpg"
    Image.new("RGB", (20, 15), (9, 9, 9)).save(other)
    refused(tmp_path, r"part_1/ISIC_0000002\.jpg and .*part_2/ISIC_0000002\.jpg differ, and both")


def test_ham10000_attributes_and_what_allow_partial_leaves_out(tmp_path, capsys):
    folder = ham(tmp_path)
    (folder / "HAM10000_images_part_1" / "ISIC_0000000.jpg").unlink()
    (folder / "HAM10000_images_part_1" / "ISIC_0000002.jpg").write_bytes(b"")
    Image.new("RGB", (8, 8)).save(folder / "HAM10000_images_part_1" / "ISIC_0000099.jpg")
    store = Store.open(prepare("ham10000-8", tmp_path, tmp_path / "work", allow_partial=True))
    assert list(store.ids) == ["ISIC_0000001", "ISIC_0000003", "ISIC_0000004", "ISIC_0000005"]
    assert store.info.title == "HAM10000 (part: 4 of 6 images)"
    assert set(store.attributes["age"]) == {"50.0"}
    assert set(store.attributes["localization"]) == {"back"}
    record = json.loads((store.path / "prepare.json").read_text())
    reasons = {one["file"]: one["reason"] for one in record["excluded_files"]}
    assert reasons["ISIC_0000099.jpg"] == "HAM10000_metadata does not list it"
    assert "not an image" in reasons["ISIC_0000002"]
    told = capsys.readouterr().err
    assert "PARTIAL: 1 of 6 images are missing" in told
    assert "2 left out" in told


def test_a_table_from_a_spreadsheet(tmp_path):
    """A byte order mark, semicolons, Windows line ends, other capitals, a name in Cyrillic."""
    folder = ham(tmp_path, separator=";")
    table = folder / "HAM10000_metadata"
    text = table.read_text().replace("image_id", "Image_ID").replace("\n", "\r\n")
    table.write_bytes(b"\xef\xbb\xbf" + text.replace("back", "спина").encode())
    store = Store.open(prepare("ham10000-8", tmp_path, tmp_path / "work"))
    assert set(store.attributes["localization"]) == {"спина"}
    assert len(store) == 6


def test_zip_files_are_to_be_unpacked(tmp_path):
    folder = ham(tmp_path)
    for part in folder.glob("*part*"):
        shutil.rmtree(part)
    (folder / "HAM10000_images_part_1.zip").write_bytes(b"")
    refused(tmp_path, r"there is HAM10000_images_part_1\.zip: unpack such zip files there")


def test_ham10000_missing(tmp_path):
    refused(
        tmp_path,
        r"HAM10000 \(10,015 images, about 3 GB\) is not there. Expected at .*ham10000 or .*doi\.",
    )


def test_ham10000_empty(tmp_path):
    (tmp_path / "ham10000").mkdir()
    refused(tmp_path, r"incomplete in .*: no HAM10000_metadata .*HAM10000_images_part_1 and")


def test_ham10000_without_images_or_without_its_table(tmp_path):
    folder = ham(tmp_path)
    (folder / "HAM10000_metadata").rename(tmp_path / "table")
    refused(
        tmp_path, r"incomplete in .*: no HAM10000_metadata or HAM10000_metadata.csv\. Expected at"
    )
    (folder / "HAM10000_metadata").mkdir()
    refused(tmp_path, r"incomplete in .*: no HAM10000_metadata .*from https://doi")
    (folder / "HAM10000_metadata").rmdir()
    (tmp_path / "table").rename(folder / "HAM10000_metadata")
    for part in folder.glob("*part*"):
        shutil.rmtree(part)
    refused(
        tmp_path, r"incomplete in .*: it has no image that HAM10000_metadata lists.*https://doi"
    )


def test_ham10000_is_a_file(tmp_path):
    (tmp_path / "ham10000").write_text("")
    refused(tmp_path, r"incomplete in .*ham10000: no HAM10000_metadata .*https://doi")


@pytest.mark.parametrize("kind", ["folder", "dangling link", "absent"])
def test_ham10000_lacks_one_image(tmp_path, kind):
    image = ham(tmp_path) / "HAM10000_images_part_1" / "ISIC_0000002.jpg"
    image.unlink()
    if kind == "folder":
        image.mkdir()
    elif kind == "dangling link":
        image.symlink_to(tmp_path / "nowhere")
    refused(tmp_path, r"of which 1 are missing \(the first is ISIC_0000002\).*add --allow-partial")


def test_ham10000_empty_image(tmp_path):
    image = ham(tmp_path) / "HAM10000_images_part_1" / "ISIC_0000004.jpg"
    image.write_bytes(b"")
    refused(tmp_path, r"ISIC_0000004\.jpg is not an image.*empty.*get this file again")


def test_ham10000_half_there(tmp_path):
    folder = ham(tmp_path)
    for image in (folder / "HAM10000_images_part_2").iterdir():
        image.unlink()
    refused(tmp_path, r"lists 6 images, of which 3 are missing \(the first is ISIC_0000001\)")


def test_ham10000_cut_table(tmp_path):
    folder = ham(tmp_path)
    table = folder / "HAM10000_metadata"
    table.write_text("\n".join(table.read_text().splitlines()[:-2]))
    refused(tmp_path, r"2 of 6 images \(the first is ISIC_0000004\.jpg\) are not in .*has 4 rows")
    table.write_text(HEADER + "\n")
    refused(tmp_path, "has no rows below its header")
    table.write_bytes(b"PK\x00\x81")
    refused(tmp_path, "not a text table")


def test_ham10000_missing_column(tmp_path):
    edit(ham(tmp_path) / "HAM10000_metadata", "lesion_id", "lesion")
    refused(tmp_path, "lacks the column `lesion_id`; did you mean `lesion`")


def test_ham10000_unknown_class(tmp_path):
    edit(ham(tmp_path) / "HAM10000_metadata", "ISIC_0000002,mel", "ISIC_0000002,melanoma")
    refused(tmp_path, "line 4: the diagnosis dx is `melanoma`, which is not one of akiec")


def test_ham10000_row_twice(tmp_path):
    edit(ham(tmp_path, 2) / "HAM10000_metadata", "ISIC_0000001", "ISIC_0000000")
    refused(tmp_path, "HAM10000_metadata, line 3: its `image_id` stands in line 2 already")


def test_ham10000_corrupt_image(tmp_path):
    image = ham(tmp_path) / "HAM10000_images_part_1" / "ISIC_0000004.jpg"
    image.write_bytes(image.read_bytes()[:100])
    refused(tmp_path, r"ISIC_0000004\.jpg is (a corrupt|not an) image")


@pytest.mark.slow
def test_real_ham10000(real_data, tmp_path):
    store = Store.open(prepare("ham10000-32", real_data, tmp_path))
    counts = dict(zip(store.info.classes, np.bincount(store.labels).tolist(), strict=True))
    expected = {"nv": 6705, "mel": 1113, "bkl": 1099, "bcc": 514, "akiec": 327, "vasc": 142}
    assert counts == expected | {"df": 115}
    sites = dict(zip(*np.unique(store.sites, return_counts=True), strict=True))
    assert sites == {
        "vidir_molemax": 3954,
        "vidir_modern": 3363,
        "rosendahl": 2259,
        "vienna_dias": 439,
    }
    assert len(set(store.groups)) == 7470
    with (real_data / "ham10000" / "HAM10000_metadata").open() as file:
        rows = {row["image_id"]: row for row in csv.DictReader(file)}
    assert [rows[name]["lesion_id"] for name in store.ids] == list(store.groups)
