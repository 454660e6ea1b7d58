import numpy as np
import pytest

from medfl.datasets.catalog import phantom as catalog
from medfl.datasets.prepare import prepare
from medfl.datasets.registry import get
from medfl.errors import MedflError
from medfl.loader import MedicalDataLoader
from medfl.partition import make_split
from medfl.phantom.writer import ChestRecipe
from medfl.store import Sample, write_store
from medfl.store.raw import RawData


@pytest.fixture
def small(monkeypatch):
    """A phantom of few patients."""
    monkeypatch.setattr(catalog, "ChestRecipe", lambda: ChestRecipe(patients=4, seed=1))


def test_prepare_and_load(small, tmp_path):
    loader = MedicalDataLoader("phantom-16", work_root=tmp_path)
    with pytest.raises(MedflError, match="medfl prepare phantom-16"):
        loader.load()
    store = loader.prepare()
    assert store.images.shape[1:] == (1, 16, 16)
    assert store.info.synthetic
    assert store.path == tmp_path / "prepared" / "phantom-16"
    assert loader.load().fingerprint() == store.fingerprint()


def test_splits_are_those_of_the_partition(tmp_path):
    """The shortcut from a name to a split gives what the partition room gives for the store."""
    info = get("phantom").info(RawData([], [], len, ""))
    samples = [
        Sample(f"s{i}", (info.classes[i % 5],), group=f"p{i // 2}", site=f"SITE-{'AB'[i % 4 // 2]}")
        for i in range(200)
    ]
    images = np.zeros((200, 1, 16, 16), np.uint8)
    store = write_store(tmp_path / "prepared" / "phantom-16", info, samples, images)
    loader = MedicalDataLoader("phantom-16", work_root=tmp_path)
    split = loader.create_federated_splits(4, "iid", seed=3, test_fraction=0.3)
    expected = make_split(store, "iid", 4, 3, test_fraction=0.3)
    assert split.num_clients == 4
    np.testing.assert_array_equal(split.clients, expected.clients)
    np.testing.assert_array_equal(split.folds, expected.folds)


def test_a_sound_store_is_kept_and_force_makes_it_again(small, tmp_path):
    path = prepare("phantom-16", work_root=tmp_path)
    before = (path / "images.npy").stat().st_mtime_ns
    assert prepare("phantom-16", work_root=tmp_path) == path
    assert (path / "images.npy").stat().st_mtime_ns == before
    pixels = (path / "images.npy").read_bytes()
    prepare("phantom-16", work_root=tmp_path, force=True)
    assert (path / "images.npy").stat().st_mtime_ns > before
    assert (path / "images.npy").read_bytes() == pixels


def test_a_store_half_there_is_reported_and_force_mends_it(small, tmp_path):
    path = prepare("phantom-16", work_root=tmp_path)
    (path / "samples.csv").unlink()
    with pytest.raises(MedflError, match=r"lacks samples\.csv.*--force"):
        prepare("phantom-16", work_root=tmp_path)
    prepare("phantom-16", work_root=tmp_path, force=True)


def test_raw_phantom_that_lost_files_is_simulated_again(small, tmp_path):
    first = prepare("phantom-16", work_root=tmp_path)
    victim = next((tmp_path / "raw" / "phantom").glob("images/*/*.dcm"))
    whole = victim.read_bytes()
    victim.unlink()
    second = prepare("phantom-24", work_root=tmp_path)
    assert victim.read_bytes() == whole
    assert len(np.load(first / "images.npy")) == len(np.load(second / "images.npy"))


def test_data_root_is_read_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDFL_DATA", str(tmp_path / "hospital"))
    with pytest.raises(MedflError, match=r"Expected at .*hospital/raw/ham10000"):
        MedicalDataLoader("ham10000", work_root=tmp_path).prepare()


def test_a_corrupt_dicom_file_leaves_no_store(small, tmp_path):
    prepare("phantom-16", work_root=tmp_path)
    victim = next((tmp_path / "raw" / "phantom").glob("images/*/*.dcm"))
    victim.write_bytes(victim.read_bytes()[:3000])
    with pytest.raises(MedflError, match=victim.name):
        prepare("phantom-24", work_root=tmp_path)
    assert [p.name for p in (tmp_path / "prepared").iterdir()] == ["phantom-16"]


def test_two_jobs_at_once_share_one_simulation(small, tmp_path, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    made = []
    write = catalog.write_phantom
    monkeypatch.setattr(catalog, "write_phantom", lambda *args: made.append(1) or write(*args))
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(prepare, f"phantom-{k}", None, tmp_path) for k in (16, 24)]
        assert [job.result().name for job in jobs] == ["phantom-16", "phantom-24"]
    assert made == [1]
