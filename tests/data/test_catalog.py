import csv
import hashlib
import http.client
import importlib.util
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from medfl.data import prepare
from medfl.data.catalog import Places, get, medmnist, names, parse_dataset
from medfl.data.store import Store
from medfl.errors import MedflError

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


def test_words():
    assert parse_dataset("ham10000").size == 64
    spec = parse_dataset("ham10000-96")
    assert (spec.word, spec.dataset.name, spec.size) == ("ham10000-96", "ham10000", 96)
    assert parse_dataset("pneumoniamnist").size == 28
    assert parse_dataset("pneumoniamnist-64").size == 64
    assert parse_dataset("phantom").dataset.synthetic


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("ham1000", "unknown dataset `ham1000`; did you mean `ham10000`"),
        ("phantm-64", "did you mean `phantom`"),
        ("covid-ct", "did you mean `covidct`"),
        ("covid-ct-96", "did you mean `covidct`"),
        ("isic-2019", "did you mean `isic2019`"),
        ("ChestX-ray14", "did you mean `chestxray14`"),
        ("Brain-Tumor-MRI", "did you mean `braintumor`"),
        ("Fed_ISIC2019", "did you mean `fed-isic2019`"),
        ("", "unknown dataset"),
        ("pneumoniamnist-32", "published at 28, 64, 128, 224 pixels, not at 32"),
        ("ham10000-4", "from 8 to 2048 pixels"),
        ("ham10000-99999", "from 8 to 2048 pixels"),
        ("ham10000-0", "from 8 to 2048 pixels, not 0"),
        ("ham10000--8", "from 8 to 2048 pixels, not -8"),
        ("ham10000-064", "unknown dataset `ham10000-064`"),
        ("ham10000-\N{ARABIC-INDIC DIGIT EIGHT}", "unknown dataset"),
        ("../ham10000", "unknown dataset"),
    ],
)
def test_unknown_words(word, message):
    with pytest.raises(MedflError, match=message):
        parse_dataset(word)


def test_the_medmnist_family_is_complete():
    """Twelve 2-D and six 3-D sets (MedMNIST v2, table 2); entries say what a user must know."""
    assert len([name for name in names() if name.endswith("mnist")]) == 12
    volumes = [name for name in names() if name.endswith("mnist3d")]
    kinds = ("organ", "nodule", "adrenal", "fracture", "vessel", "synapse")
    assert sorted(volumes) == sorted(f"{kind}mnist3d" for kind in kinds)
    assert all(get(name).sizes == (28, 64) for name in volumes)
    for name in names():
        entry = get(name)
        assert entry.citation
        assert entry.licence
        assert entry.where
        assert len(set(entry.classes)) == len(entry.classes) >= 2
        assert not set(entry.aliases) & set(names())
    assert get("chestmnist").task == "multilabel"
    assert len(get("chestmnist").classes) == 14
    assert get("retinamnist").task == "multiclass"
    assert get("dermamnist").licence == "CC BY-NC 4.0"


def test_the_info_is_that_of_the_package():
    from medfl.data.catalog.medmnist import official_info

    origin = importlib.util.find_spec("medmnist").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("medmnist_info", f"{origin}/info.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert official_info() == module.INFO


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
    assert (record["kept"], record["missing"], record["excluded"]) == (6, 0, 0)


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


def refused(tmp_path, match, dataset="ham10000-8"):
    with pytest.raises(MedflError, match=match):
        prepare(dataset, tmp_path, tmp_path / "work")
    assert not list((tmp_path / "work").rglob("*.*"))


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
    refused(tmp_path, "HAM10000_metadata, line 3: the image_id ISIC_0000000 stands there twice")


def test_ham10000_corrupt_image(tmp_path):
    image = ham(tmp_path) / "HAM10000_images_part_1" / "ISIC_0000004.jpg"
    image.write_bytes(image.read_bytes()[:100])
    refused(tmp_path, r"ISIC_0000004\.jpg is (a corrupt|not an) image")


@pytest.fixture
def mnist(tmp_path):
    """A MedMNIST entry for a file of ours, as the official one but for counts and checksum."""

    def make(name="pneumoniamnist", shape=(28, 28), labels=None, **changes):
        rng = np.random.default_rng(0)
        entry = get(name)
        counts = {"train": 4, "val": 2, "test": 3}
        arrays = {}
        for fold, n in counts.items():
            arrays[f"{fold}_images"] = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
            wide = len(entry.classes) if entry.task == "multilabel" else 1
            arrays[f"{fold}_labels"] = rng.integers(0, 2, (n, wide), dtype=np.uint8)
        if labels is not None:
            arrays["train_labels"] = np.asarray(labels, np.uint8)
        arrays |= changes
        path = tmp_path / "medmnist" / f"{name}.npz"
        path.parent.mkdir(exist_ok=True)
        np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        url = path.as_uri()
        entry = replace(entry, downloads=((28, url, md5),), counts=tuple(counts.items()))
        return entry, path, arrays

    return make


def test_medmnist_grey_with_official_folds(mnist, tmp_path):
    entry, _, arrays = mnist()
    raw = entry.read(Places(tmp_path, tmp_path), 28)
    images = list(raw.images)
    assert [s.fold for s in raw.samples] == ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    np.testing.assert_array_equal(images[4], arrays["val_images"][:1])
    assert raw.samples[0].labels == (entry.classes[arrays["train_labels"][0, 0]],)
    assert len({s.group for s in raw.samples}) == 9


def test_medmnist_colour_and_multilabel(mnist, tmp_path):
    entry, _, arrays = mnist("dermamnist", (28, 28, 3))
    image = next(iter(entry.read(Places(tmp_path, tmp_path), 28).images))
    np.testing.assert_array_equal(image, arrays["train_images"][0].transpose(2, 0, 1))
    entry, _, arrays = mnist("chestmnist")
    samples = entry.read(Places(tmp_path, tmp_path), 28).samples
    expected = [entry.classes[k] for k in np.flatnonzero(arrays["train_labels"][0])]
    assert list(samples[0].labels) == expected


def test_medmnist_wrong_checksum(mnist, tmp_path):
    entry, path, _ = mnist()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MedflError, match=r"pneumoniamnist\.npz is damaged: its MD5 is .* download"):
        entry.read(Places(tmp_path, tmp_path), 28)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": [[0], [1], [2], [0]]}, "train-000002 has label .2.; .* classes 0 to 1"),
        ({"val_labels": None}, "not a readable MedMNIST file"),
        ({"val_images": np.zeros((1, 28, 28), np.uint8)}, "fold val has 1 images and 2 labels"),
        (
            {"val_images": np.zeros((2, 64, 64), np.uint8)},
            r"fold val has images of uint8 \(2, 64, 64\), not of uint8 \(28, 28\)",
        ),
    ],
)
def test_medmnist_bad_contents(mnist, tmp_path, changes, message):
    """Contents are checked besides the checksum, should a new release change the files."""
    entry, _, _ = mnist(**changes)
    with pytest.raises(MedflError, match=message):
        entry.read(Places(tmp_path, tmp_path), 28)


def test_medmnist_not_an_npz(mnist, tmp_path):
    entry, path, _ = mnist()
    path.write_bytes(b"PK\x03\x04 not really")
    entry = replace(entry, downloads=((28, "", hashlib.md5(path.read_bytes()).hexdigest()),))
    with pytest.raises(MedflError, match="not a readable MedMNIST file"):
        entry.read(Places(tmp_path, tmp_path), 28)


def test_medmnist_download(mnist, tmp_path):
    entry, path, _ = mnist()  # the URL is that of the file itself
    elsewhere = tmp_path / "elsewhere"
    places = Places(elsewhere, elsewhere)
    assert len(entry.read(places, 28).samples) == 9
    assert (elsewhere / "raw" / "medmnist" / path.name).read_bytes() == path.read_bytes()
    path.unlink()
    assert len(entry.read(places, 28).samples) == 9  # the second time from our copy


def test_medmnist_download_that_fails_or_is_cut(mnist, tmp_path):
    entry, path, _ = mnist()
    places = Places(tmp_path / "none", tmp_path / "work")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(MedflError, match=r"is damaged.*incomplete: try again"):
        entry.read(places, 28)
    path.unlink()
    with pytest.raises(MedflError, match=r"is not there, and file:.* gave: .*Expected at .*none"):
        entry.read(places, 28)
    assert not list((tmp_path / "work").rglob("*.npz"))


@pytest.mark.parametrize("name", ["organmnist3d", "vesselmnist3d"])
def test_medmnist_volumes(mnist, tmp_path, name):
    entry, _, arrays = mnist(name, (28, 28, 28))
    raw = entry.read(Places(tmp_path, tmp_path), 28)
    images = list(raw.images)
    assert images[0].shape == (1, 28, 28, 28)
    np.testing.assert_array_equal(images[6][0], arrays["test_images"][0])
    assert raw.samples[6].labels == (entry.classes[arrays["test_labels"][0, 0]],)


def test_medmnist_volumes_become_a_store(mnist, tmp_path, monkeypatch):
    from medfl.data import catalog

    entry, _, arrays = mnist("nodulemnist3d", (28, 28, 28))
    monkeypatch.setattr(catalog, "_entries", lambda: {entry.name: entry})
    store = Store.open(prepare("nodulemnist3d", tmp_path, tmp_path / "work"))
    assert store.images.shape == (9, 1, 28, 28, 28)
    np.testing.assert_array_equal(store.images[4, 0], arrays["val_images"][0])


@pytest.mark.slow
def test_a_resnet_takes_a_step_on_medmnist_volumes(mnist, tmp_path, monkeypatch):
    """From the official layout to a trained model; the stem keeps 28 voxels a side."""
    from safetensors.numpy import load_file

    from medfl.cli import main
    from medfl.data import catalog

    entry, _, _ = mnist("nodulemnist3d", (28, 28, 28), labels=[[0], [1], [0], [1]])
    monkeypatch.setattr(catalog, "_entries", lambda: {entry.name: entry})
    (tmp_path / "run.yaml").write_text(
        "dataset: nodulemnist3d\npartition: iid\nmodel: {name: resnet18}\n"
        "federated_learning: {num_clients: 1, rounds: 1, local_steps: 1}\n"
        "training: {batch_size: 2}\n"
    )
    roots = ["--data-root", str(tmp_path), "--work-root", str(tmp_path / "work")]
    words = ["--config", str(tmp_path / "run.yaml"), "--output-dir", str(tmp_path / "run")]
    assert main(["prepare", "nodulemnist3d", *roots]) == 0
    assert main(["run", *words, *roots]) == 0
    assert json.loads((tmp_path / "run/metrics.json").read_text())["status"] == "completed"
    weights = load_file(tmp_path / "run/model.safetensors")
    assert weights["backbone.conv1.weight"].shape == (64, 1, 3, 3, 3)  # the small-image stem


def test_a_medmnist_volume_of_another_shape(mnist, tmp_path):
    entry, _, _ = mnist("nodulemnist3d", (28, 28, 3))
    with pytest.raises(MedflError, match=r"uint8 \(4, 28, 28, 3\), not of uint8 \(28, 28, 28\)"):
        entry.read(Places(tmp_path, tmp_path), 28)


@pytest.mark.parametrize(
    "error", [ConnectionResetError(104, "reset by peer"), http.client.IncompleteRead(b"x", 9)]
)
def test_medmnist_download_that_breaks_off(mnist, tmp_path, monkeypatch, error):
    entry, _, _ = mnist()

    def break_off(source, target):
        target.write_bytes(b"half")
        raise error

    monkeypatch.setattr(medmnist, "_copy", break_off)
    places = Places(tmp_path / "none", tmp_path / "work")
    with pytest.raises(MedflError, match=r"is not there, and file:.* gave: .*Expected at .*none"):
        entry.read(places, 28)
    assert not list((tmp_path / "work").rglob("*.npz"))


def test_real_pneumoniamnist(real_data, tmp_path):
    store = Store.open(prepare("pneumoniamnist", real_data, tmp_path))
    assert store.images.shape == (5856, 1, 28, 28)
    with np.load(real_data / "medmnist" / "pneumoniamnist.npz") as file:
        np.testing.assert_array_equal(store.images[store.folds == "test", 0], file["test_images"])
        np.testing.assert_array_equal(
            store.labels[store.folds == "val"], file["val_labels"].ravel()
        )


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
