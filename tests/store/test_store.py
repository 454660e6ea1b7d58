import numpy as np
import pytest
import yaml

from medfl.datasets.registry import DATASETS
from medfl.errors import MedflError
from medfl.store import DatasetInfo, Sample, Store, write_store
from medfl.store.info import from_plain, to_plain


def info(**changes):
    fields = {
        "name": "toy",
        "title": "Toy",
        "classes": ("a", "b", "c"),
        "task": "multiclass",
        "modality": "XC",
        "synthetic": True,
        "citation": "",
        "licence": "",
    }
    return DatasetInfo(**{**fields, **changes})


def samples(labels, **changes):
    return [
        Sample(id=f"s{i}", labels=(label,) if isinstance(label, str) else label, group=f"g{i}")
        for i, label in enumerate(labels)
    ]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 2, 4, 4), dtype=np.uint8)


def test_round_trip_and_measured_statistics(tmp_path, images):
    store = write_store(tmp_path / "toy", info(), samples("cab"), images)
    assert isinstance(store.images, np.memmap)
    assert not store.images.flags.writeable
    np.testing.assert_array_equal(store.images, images)
    np.testing.assert_array_equal(store.labels, [2, 0, 1])
    assert store.labels.dtype == np.int64
    assert list(store.ids) == ["s0", "s1", "s2"]
    np.testing.assert_allclose(store.info.mean, (images / 255).mean(axis=(0, 2, 3)), atol=1e-12)
    np.testing.assert_allclose(store.info.std, (images / 255).std(axis=(0, 2, 3)), atol=1e-12)
    assert not store.has_official_folds
    store.verify()


def test_statistics_of_official_folds_come_from_training_images(tmp_path, images):
    rows = [
        Sample(id=f"s{i}", labels=("a",), group=f"g{i}", fold=fold)
        for i, fold in enumerate(["train", "test", "val"])
    ]
    store = write_store(tmp_path / "toy", info(), rows, images)
    assert store.has_official_folds
    np.testing.assert_allclose(store.info.mean, (images[0] / 255).mean(axis=(1, 2)), atol=1e-12)


def test_multilabel_indicators_with_an_empty_row(tmp_path, images):
    rows = samples([("a", "c"), (), ("b",)])
    store = write_store(tmp_path / "toy", info(task="multilabel"), rows, images)
    np.testing.assert_array_equal(store.labels, [[1, 0, 1], [0, 0, 0], [0, 1, 0]])


def test_fingerprint_depends_on_labels_and_on_pixels_only(tmp_path, images):
    first = write_store(tmp_path / "1", info(), samples("abc"), images).fingerprint()
    same = write_store(tmp_path / "2", info(notes="other"), samples("abc"), images).fingerprint()
    labels = write_store(tmp_path / "3", info(), samples("abb"), images).fingerprint()
    pixels = write_store(tmp_path / "4", info(), samples("abc"), images ^ 1).fingerprint()
    assert first == same
    assert len({first, labels, pixels}) == 3


def test_a_failing_source_keeps_the_older_store(tmp_path, images):
    before = write_store(tmp_path / "toy", info(), samples("abc"), images).fingerprint()

    def broken():
        yield images[0]
        raise MedflError("image 2 is corrupt")

    with pytest.raises(MedflError, match="corrupt"):
        write_store(tmp_path / "toy", info(), samples("abc"), broken())
    assert [p.name for p in tmp_path.iterdir()] == ["toy"]
    assert Store.open(tmp_path / "toy").fingerprint() == before


@pytest.mark.parametrize("name", ["images.npy", "samples.csv", "dataset.yaml"])
def test_half_there(tmp_path, images, name):
    write_store(tmp_path / "toy", info(), samples("abc"), images)
    (tmp_path / "toy" / name).unlink()
    again = "medfl prepare toy --work-root .* --force"
    with pytest.raises(MedflError, match=rf"lacks {name}.*{again}"):
        Store.open(tmp_path / "toy")


def test_a_folder_or_a_file_of_somebody_else(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for name in ("folder", "file"):
        with pytest.raises(MedflError, match=rf"lacks .*medfl prepare {name} .*--force"):
            Store.open(tmp_path / name)


def test_the_command_that_mends_names_the_work_root_where_it_is_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MedflError, match=r"`medfl prepare toy`"):
        Store.open("data/prepared/toy")
    with pytest.raises(MedflError, match=r"`medfl prepare toy --work-root elsewhere`"):
        Store.open("elsewhere/prepared/toy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": None}, "classes: Input should be a valid tuple"),
        ({"classes": [1, 2]}, r"classes\.0: Input should be a valid string"),
        ({"task": "foo"}, "task: Input should be 'multiclass' or 'multilabel'"),
        ({"images_sha256": 5}, "images_sha256"),
        ({"mean": [0.5]}, "has 1 means and 2 standard deviations for 2 channels"),
        ({"std": [float("nan"), 1.0]}, r"std\.0"),
        ({"extra": 1}, "…: Unexpected keyword"),
        ({"classes": ["a", "a"]}, "classes: one stands there twice"),
    ],
)
def test_a_description_that_was_edited(tmp_path, images, change, message):
    write_store(tmp_path / "toy", info(), samples("abc"), images)
    path = tmp_path / "toy" / "dataset.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **change}))
    with pytest.raises(MedflError, match=rf"dataset\.yaml .*{message}.*--force"):
        Store.open(tmp_path / "toy")


@pytest.mark.parametrize("text", ["[" * 9000, "", "[1]", "classes: [a", "a: !!int 010"])
def test_a_description_that_is_none(tmp_path, images, text):
    write_store(tmp_path / "toy", info(), samples("abc"), images)
    (tmp_path / "toy" / "dataset.yaml").write_text(text)
    with pytest.raises(MedflError, match=r"dataset\.yaml .*--force"):
        Store.open(tmp_path / "toy")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("s1,b,g1", "s0,b,g1", "the id of sample 2 occurs twice"),
        ("s1,b,g1", "s1,b,", "sample 2 lacks an id or a group"),
        ("s1,b,g1,,,", "s1,b,g1,,,dev", "has an unknown fold: it can be train, val, test"),
        ("s1,b,g1", "s1,,g1", "sample 2 has 0 labels"),
        ("s1,b,g1", "s1,\udcff,g1", "is not a CSV file"),
    ],
)
def test_rows_that_were_edited(tmp_path, images, old, new, message):
    write_store(tmp_path / "toy", info(), samples("abc"), images)
    path = tmp_path / "toy" / "samples.csv"
    text = path.read_text().replace(old, new)
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(MedflError, match=rf"samples\.csv.*{message}.*--force"):
        Store.open(tmp_path / "toy")


HEAD = b"\x93NUMPY\x01\x00"  # then the header's length


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage" * 99,
        HEAD + b"v\x00{'descr'",
        HEAD + b"v\x00" + b"{'descr': (" + b"x" * 107,  # no end of its tokens
        HEAD + b"\x60\xea" + b"(" * 60_000,
        HEAD + b"v\x00" + b"{'descr': 'O', 'fortran_order': False, 'shape': (1,)}".ljust(118),
    ],
)
def test_pixels_that_are_none(tmp_path, images, content):
    write_store(tmp_path / "toy", info(), samples("abc"), images)
    (tmp_path / "toy" / "images.npy").write_bytes(content)
    with pytest.raises(MedflError, match=r"images\.npy is damaged.*--force") as error:
        Store.open(tmp_path / "toy")
    assert "\n" not in str(error.value)


def test_pixels_of_another_kind(tmp_path, images):
    write_store(tmp_path / "toy", info(), samples("abc"), images)
    np.save(tmp_path / "toy" / "images.npy", images.astype(np.float32))
    with pytest.raises(MedflError, match=r"holds float32 of shape .*--force"):
        Store.open(tmp_path / "toy")
    with (tmp_path / "toy" / "images.npy").open("wb") as file:
        np.savez(file, images)
    with pytest.raises(MedflError, match="is damaged"):
        Store.open(tmp_path / "toy")


def test_no_space_left(tmp_path, images):
    """A limit of file sizes stands for the full disk: the write itself fails, half-way."""
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    write_store(tmp_path / "toy", info(), samples("abc"), images)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        big = np.zeros((3, 2, 64, 64), np.uint8)
        with pytest.raises(MedflError, match=rf"no space left while writing {tmp_path / 'toy'}:"):
            write_store(tmp_path / "toy", info(), samples("abc"), big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]
    assert Store.open(tmp_path / "toy").images.shape == (3, 2, 4, 4)


def test_missing(tmp_path):
    with pytest.raises(MedflError, match=r"no prepared dataset at .*medfl prepare toy"):
        Store.open(tmp_path / "toy")


def test_damage_is_found(tmp_path, images):
    path = tmp_path / "toy"
    store = write_store(path, info(), samples("abc"), images)
    del store
    whole = (path / "images.npy").read_bytes()
    (path / "images.npy").write_bytes(whole[:-7])
    with pytest.raises(MedflError, match=r"images\.npy is damaged"):
        Store.open(path)
    (path / "images.npy").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(MedflError, match="not what was prepared"):
        Store.open(path).verify()
    (path / "images.npy").write_bytes(whole)
    lines = (path / "samples.csv").read_text().splitlines(keepends=True)
    (path / "samples.csv").write_text("".join(lines[:-1]))
    with pytest.raises(MedflError, match="3 images but 2 rows"):
        Store.open(path)
    (path / "samples.csv").write_text("".join(lines).replace("labels", "label", 1))
    with pytest.raises(MedflError, match="has other columns than id, labels"):
        Store.open(path)
    (path / "samples.csv").write_text("".join(lines[:-1]) + "s2,a\n")
    with pytest.raises(MedflError, match="line 4"):
        Store.open(path)
    (path / "samples.csv").write_text("".join(lines).replace(",c,", ",z,"))
    with pytest.raises(MedflError, match="sample 3 has the label `z`, which is not a class"):
        Store.open(path)
    (path / "samples.csv").write_text("".join(lines))
    (path / "dataset.yaml").write_text("name: toy\n")
    with pytest.raises(MedflError, match="does not describe a dataset"):
        Store.open(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (samples(["a", "x", "b"]), "sample 2 has the label `x`, which is not a class"),
        (samples(["a", (), "b"]), "sample 2 has 0 labels"),
        ([Sample("s", ("a",), "g")] * 3, "occurs twice"),
        ([Sample("s", ("a",), "")], "lacks an id or a group"),
        ([Sample("s", ("a",), "g", fold="dev")], "has an unknown fold: it can be train, val, test"),
        ([], "no samples"),
    ],
)
def test_bad_rows_are_refused_before_anything_is_written(tmp_path, images, rows, message):
    with pytest.raises(MedflError, match=message):
        write_store(tmp_path / "toy", info(), rows, images)
    assert not list(tmp_path.iterdir())


def test_too_few_images_leave_nothing(tmp_path, images):
    with pytest.raises(ValueError, match="2 images for 3 samples"):
        write_store(tmp_path / "toy", info(), samples("abc"), images[:2])
    assert not list(tmp_path.iterdir())


def test_importing_a_store_needs_neither_torch_nor_decoders():
    import subprocess
    import sys

    code = (
        "import sys, medfl.datasets.registry\nfrom medfl.store import Store\n"
        "bad = {'torch', 'pandas', 'pydicom', 'PIL', 'medmnist', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_store_says_what_its_groups_are():
    """Patients go without saying, as in stores from before; anything else is written down."""
    assert "group" not in to_plain(info())
    assert from_plain(to_plain(info())).group == "patient"
    assert from_plain(to_plain(info(group="lesion"))).group == "lesion"
    words = {name: DATASETS.load(name).group for name in ("ham10000", "isic2019", "pneumoniamnist")}
    assert words == {"ham10000": "lesion", "isic2019": "lesion", "pneumoniamnist": "image"}
