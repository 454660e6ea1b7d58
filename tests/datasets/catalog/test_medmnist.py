import hashlib
import http.client
import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest

from medfl.datasets.base import Places
from medfl.datasets.catalog import medmnist
from medfl.datasets.prepare import prepare
from medfl.datasets.registry import DATASETS, get, names
from medfl.disclosure.published_sets import MEDMNIST
from medfl.errors import MedflError
from medfl.store import Store


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
    from medfl.datasets.catalog.medmnist import official_info

    origin = importlib.util.find_spec("medmnist").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("medmnist_info", f"{origin}/info.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    left_out = {"description", "n_channels"}
    expected = {
        name: {key: value for key, value in info.items() if key not in left_out}
        for name, info in module.INFO.items()
    }
    assert official_info() == expected
    assert set(MEDMNIST) == set(module.INFO)


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

    entry, _, arrays = mnist("nodulemnist3d", (28, 28, 28))
    monkeypatch.setattr(DATASETS, "load", lambda name: entry)
    store = Store.open(prepare("nodulemnist3d", tmp_path, tmp_path / "work"))
    assert store.images.shape == (9, 1, 28, 28, 28)
    np.testing.assert_array_equal(store.images[4, 0], arrays["val_images"][0])


@pytest.mark.slow
def test_a_resnet_takes_a_step_on_medmnist_volumes(mnist, tmp_path, monkeypatch):
    """From the official layout to a trained model; the stem keeps 28 voxels a side."""
    from safetensors.numpy import load_file

    from medfl.cli import main

    entry, _, _ = mnist("nodulemnist3d", (28, 28, 28), labels=[[0], [1], [0], [1]])
    monkeypatch.setattr(DATASETS, "load", lambda name: entry)
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
