"""Images on the disk give the same bits as images in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from federations import comparable, federation, small_store, split_of
from torch import nn

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.federated import disk as disk_module
from medfl.federated import memory as memory_module
from medfl.federated.disk import DiskImages
from medfl.federated.fingerprint import fingerprint
from medfl.federated.memory import room_in_memory
from medfl.store import Sample, write_store

SIZES = [8, 16, 12]


class Volumes(nn.Sequential):
    """A small network of volumes."""

    def __init__(self):
        super().__init__(
            nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)
        )
        self(torch.zeros(2, 1, 6, 7, 8))


def store_on_disk(folder, images=None, n=60):
    memory = small_store(n)
    images = memory.images if images is None else images
    samples = [
        Sample(name, (memory.info.classes[label],), group)
        for name, label, group in zip(memory.ids, memory.labels, memory.groups, strict=True)
    ]
    return write_store(folder, replace(memory.info, mean=(), std=()), samples, images)


def split_as(store, partition):
    split = split_of(store, SIZES)
    split.partition = partition
    return split


def trained(store, partition, images, model="cnn", algorithm="fedavg", **settings):
    """A trainer after two rounds, with the configuration's own network in single precision."""
    data = FederatedData(store, split_as(store, partition), "cpu", images)
    volumes = model == "volume"
    config = FederatedConfig(
        algorithm=algorithm,
        num_clients=len(SIZES),
        rounds=2,
        batch_size=5,
        model="cnn" if volumes else model,
        images=images,
        **settings,
    )
    torch.manual_seed(0)
    server = FederatedServer(config, data, model=Volumes() if volumes else None)
    clients = [FederatedClient(client, data) for client in data.clients]
    trainer = FederatedTrainer(config, server, clients)
    trainer.train()
    assert trainer.status == "completed"
    return trainer


@pytest.mark.parametrize("partition", ["iid", "scanner-0.5", "noise-0.2"])
@pytest.mark.parametrize(
    ("algorithm", "model", "shape"),
    [
        ("fedavg", "cnn", (3, 16, 16)),
        ("scaffold", "cnn", (1, 16, 16)),
        ("centralized", "cnn", (1, 16, 16)),
        ("fedavg", "volume", (1, 6, 7, 8)),
    ],
)
def test_same_weights_and_metrics(tmp_path, partition, algorithm, model, shape):
    images = np.random.default_rng(0).integers(0, 256, (60, *shape), dtype=np.uint8)
    store = store_on_disk(tmp_path / "store", images)
    memory = trained(store, partition, "memory", model, algorithm)
    disk = trained(store, partition, "disk", model, algorithm)
    assert isinstance(disk.data.images, DiskImages)
    assert not isinstance(memory.data.images, DiskImages)
    assert torch.equal(memory.server.vector, disk.server.vector)
    assert torch.equal(memory.server.buffers, disk.server.buffers)
    assert comparable(memory.history) == comparable(disk.history)
    assert memory.client_history == disk.client_history
    assert not disk.data.images._coming  # nothing that was read ahead lies about


def test_several_epochs_and_a_number_of_steps(tmp_path):
    """The next pass is shuffled while the one before it is still trained on."""
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    store = store_on_disk(tmp_path / "store", images)
    for work in ({"local_epochs": 3}, {"local_steps": 7}):
        memory = trained(store, "iid", "memory", model="mlp", **work)
        disk = trained(store, "iid", "disk", model="mlp", **work)
        assert torch.equal(memory.server.vector, disk.server.vector)


@pytest.mark.parametrize("kind", [np.uint8, np.int16])
def test_augmented_and_cut_volumes(tmp_path, kind):
    """Reading ahead changes no random number of augmentation or of patches."""
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 12, 12, 12)).astype(kind)
    store = store_on_disk(tmp_path / "store", images)
    own = {"augmentation": {"preset": "ct"}, "patch": 8}
    memory = trained(store, "iid", "memory", **own)
    disk = trained(store, "iid", "disk", **own)
    assert torch.equal(memory.server.vector, disk.server.vector)
    plain = trained(store, "iid", "memory", patch=8)
    assert not torch.equal(plain.server.vector, memory.server.vector)


def test_several_clients_read_at_the_same_time(tmp_path, monkeypatch):
    """Their batches come from one file, read ahead by one thread."""
    monkeypatch.setattr("medfl.federated.worker_count.cpu_count", lambda: 3)
    store = store_on_disk(
        tmp_path / "store", np.repeat(np.repeat(small_store(60).images, 2, 2), 2, 3)
    )
    settings = {"algorithm": "finetune", "local_epochs": 3}
    memory = trained(store, "noise-0.5", "memory", workers=1, **settings)
    disk = trained(store, "noise-0.5", "disk", workers=3, **settings)
    assert disk.server.workers.number == 3
    assert torch.equal(memory.server.vector, disk.server.vector)
    assert comparable(memory.history) == comparable(disk.history)


def test_augmented_alike(tmp_path):
    """What is drawn for a batch does not depend on when its pixels were read."""
    images = np.random.default_rng(0).integers(0, 256, (60, 3, 16, 16), dtype=np.uint8)
    store = store_on_disk(tmp_path / "store", images)
    options = {"augmentation": {"preset": "photo"}, "local_epochs": 2}
    memory = trained(store, "scanner-0.5", "memory", **options)
    disk = trained(store, "scanner-0.5", "disk", **options)
    assert torch.equal(memory.server.vector, disk.server.vector)
    plain = trained(store, "scanner-0.5", "disk", local_epochs=2)
    assert not torch.equal(plain.server.vector, disk.server.vector)


@pytest.mark.parametrize(
    ("partition", "shape", "kind"),
    [
        (partition, shape, np.uint8)
        for partition in ("iid", "scanner-0.5", "noise-0.2")
        for shape in ((3, 5, 7), (2, 4, 5, 6))
    ]
    + [(partition, (1, 8, 9, 10), np.int16) for partition in ("iid", "scanner-0.5", "noise-0.2")],
)
def test_any_rows_in_any_order(tmp_path, partition, shape, kind):
    limits = np.iinfo(kind)
    images = np.random.default_rng(0).integers(limits.min, limits.max, (60, *shape), dtype=kind)
    store = store_on_disk(tmp_path / "store", images)
    memory = FederatedData(store, split_as(store, partition), images="memory")
    disk = FederatedData(store, split_as(store, partition), images="disk")
    assert disk.images.shape == memory.images.shape == (60, *shape)
    assert disk.images.ndim == memory.images.ndim
    assert disk.images.dtype == memory.images.dtype
    assert len(disk.images) == 60
    parts = [
        torch.arange(60),
        torch.tensor([59, 0, 31, 30, 29, 31, 31]),
        torch.tensor([5, 6, 7, 4, 8]),
        torch.arange(59, -1, -1),
        torch.zeros(0, dtype=torch.int64),
    ]
    for rows, coming in zip(parts, disk.ahead(iter(parts)), strict=True):
        assert coming is rows
        expected, ahead, at_once = memory.batch(rows), disk.batch(rows), disk.batch(rows.clone())
        assert torch.equal(expected[0], ahead[0])
        assert torch.equal(expected[0], at_once[0])
        assert torch.equal(expected[1], ahead[1])
        assert expected[0].stride() == ahead[0].stride() or len(rows) == 0


def test_a_number_of_batches_is_read_ahead_and_no_more(tmp_path):
    store = store_on_disk(tmp_path / "store")
    data = FederatedData(store, split_as(store, "iid"), images="disk")
    taken = []

    def parts():
        for k in range(10):
            taken.append(k)
            yield torch.tensor([k])

    batches = data.ahead(parts())
    next(batches)
    assert len(taken) == 1 + disk_module.READ_AHEAD
    next(batches)
    assert len(taken) == 2 + disk_module.READ_AHEAD
    batches.close()
    assert not data.images._coming


def test_a_file_that_shrinks_is_an_error(tmp_path):
    store = store_on_disk(tmp_path / "store")
    data = FederatedData(store, split_as(store, "iid"), images="disk")
    file = tmp_path / "store" / "images.npy"
    with file.open("r+b") as pixels:
        pixels.truncate(file.stat().st_size - 1)
    assert data.inputs(torch.tensor([58])).shape == (1, 1, 6, 6)
    for rows in data.ahead([torch.tensor([59])]):
        with pytest.raises(MedflError, match=r"images\.npy is shorter than it was"):
            data.inputs(rows)


def test_auto_takes_memory_where_there_is_room(tmp_path):
    store = store_on_disk(tmp_path / "store")
    split = split_as(store, "iid")
    size = store.images.nbytes / 2**30
    assert isinstance(FederatedData(store, split, memory_limit=0.99 * size).images, DiskImages)
    assert not isinstance(FederatedData(store, split, memory_limit=size).images, DiskImages)
    assert not isinstance(FederatedData(store, split).images, DiskImages)


def test_half_of_what_is_free_is_room(monkeypatch):
    monkeypatch.setattr(memory_module, "free_memory", lambda: 1000)
    assert room_in_memory(torch.device("cpu"), None) == 500
    assert room_in_memory(torch.device("cpu"), 2.5) == 2.5 * 2**30


def test_where_images_lie_is_not_part_of_a_run():
    one = fingerprint(federation(images="disk", memory_limit=1.5).config)
    assert one == fingerprint(federation().config)
