"""Streams, batches, sampling and learning rates."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
import torch
from federations import Dropped, Linear, federation, small_store

from medfl.errors import MedflError
from medfl.federated.data import batches, split_batches
from medfl.streams import stream_seed, torch_stream


def test_a_seed_is_the_hash_of_its_key():
    digest = hashlib.sha256(b"3/7/1/train").digest()
    assert stream_seed(3, 7, 1, "train") == int.from_bytes(digest[:8], "big") // 2
    assert 0 <= stream_seed(0) < 2**63


def test_every_part_of_a_key_counts():
    keys = [(0, 1, 2, "train"), (1, 1, 2, "train"), (0, 2, 2, "train"), (0, 1, 3, "train")]
    keys += [(0, 1, 2, "personal"), (0, 1, 2, "finetune"), (0, 12, "train"), (0, 1, "participants")]
    draws = {tuple(torch.rand(3, generator=torch_stream(*key)).tolist()) for key in keys}
    assert len(draws) == len(keys)
    torch.manual_seed(5)
    first = torch.rand(3, generator=torch_stream(*keys[0]))
    assert torch.equal(first, torch.rand(3, generator=torch_stream(*keys[0])))


def test_streams_leave_the_process_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    torch.rand(9, generator=torch_stream(0, 1))
    assert torch.equal(torch.rand(3), expected)


def test_layers_draw_anew_for_every_client_round_and_purpose():
    trainer = federation("ditto", sizes=(8, 8), model=Dropped, rounds=2, batch_size=8)
    masks = []

    def see(layer, _, kept):  # no pixel of the tiny store is 0 after normalisation
        if layer.training:
            masks.append(tuple((kept != 0).flatten().tolist()))

    trainer.server.model.module[1].register_forward_hook(see)
    trainer.train()
    assert len(masks) == len(set(masks)) == 8  # 2 clients, 2 rounds, global and personal


@pytest.mark.parametrize(
    ("n", "size", "sizes"),
    [
        (12, 4, [4, 4, 4]),
        (10, 4, [4, 4, 2]),
        (9, 4, [4, 5]),
        (5, 4, [5]),
        (3, 8, [3]),
        (1, 4, [1]),
        (3, 1, [1, 1, 1]),
        (3, 2, [3]),
    ],
)
def test_no_batch_of_one(n, size, sizes):
    assert [len(part) for part in split_batches(torch.arange(n), size)] == sizes
    drawn = list(batches(torch.arange(n), size, torch_stream(0), 2, None))
    assert [len(part) for part in drawn] == 2 * sizes
    for epoch in (drawn[: len(sizes)], drawn[len(sizes) :]):
        assert sorted(torch.cat(epoch).tolist()) == list(range(n))


def test_epochs_are_shuffled_anew():
    drawn = torch.cat(list(batches(torch.arange(40), 8, torch_stream(0), 2, None)))
    assert not torch.equal(drawn[:40], drawn[40:])
    assert not torch.equal(drawn[:40], torch.arange(40))


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
def test_exactly_so_many_steps(steps):
    drawn = list(batches(torch.arange(10), 4, torch_stream(0), None, steps))
    assert len(drawn) == steps
    # As many as one pass has are one pass, without replacement.
    if steps >= 3:
        assert sorted(torch.cat(drawn[:3]).tolist()) == list(range(10))


def test_participants_are_sampled_without_replacement():
    trainer = federation(sizes=(4,) * 6, clients_per_round=3)
    rounds = [trainer.server.participants(number) for number in range(1, 60)]
    assert all(len(set(chosen)) == 3 and chosen == sorted(chosen) for chosen in rounds)
    assert rounds == [trainer.server.participants(number) for number in range(1, 60)]
    counts = np.bincount(np.concatenate(rounds), minlength=6)
    assert counts.min() > 15, f"59 rounds of half of 6 clients: about 30 each, not {counts}"
    everyone = federation(sizes=(4,) * 6)
    assert everyone.server.participants(1) == list(range(6))


def test_more_participants_than_clients():
    with pytest.raises(Exception, match="clients_per_round"):
        federation(clients_per_round=4)


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({}, [1, 1, 1, 1, 1, 1, 1, 1]),
        ({"warmup_rounds": 3}, [1 / 4, 2 / 4, 3 / 4, 1, 1, 1, 1, 1]),
        ({"lr_schedule": "step"}, [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]),
        (
            {"lr_schedule": "step", "lr_gamma": 0.5, "lr_milestones": [0.25]},
            [1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
        ),
        ({"lr_schedule": "exponential"}, [0.1 ** (k / 8) for k in range(8)]),
        ({"lr_schedule": "cosine"}, [(1 + math.cos(math.pi * k / 8)) / 2 for k in range(8)]),
        (
            {"lr_schedule": "cosine", "warmup_rounds": 2},
            [1 / 3, 2 / 3, *((1 + math.cos(math.pi * k / 6)) / 2 for k in range(6))],
        ),
    ],
)
def test_learning_rates(settings, rates):
    trainer = federation(rounds=8, learning_rate=0.3, **settings)
    ours = [trainer.server.learning_rate(number) for number in range(1, 9)]
    assert ours == pytest.approx([0.3 * rate for rate in rates], abs=1e-14)


def test_milestones_are_exact():
    # 0.55 · 100 is 55.00000000000001 in floating point.
    trainer = federation(rounds=100, lr_schedule="step", lr_milestones=[0.55], learning_rate=1.0)
    assert trainer.server.learning_rate(55) == 1.0
    assert trainer.server.learning_rate(56) == pytest.approx(0.1)


def test_the_rate_of_the_schedule_is_the_rate_of_the_steps():
    rates = {}
    for settings in ({}, {"lr_schedule": "step", "lr_gamma": 0.5, "lr_milestones": [0.5]}):
        seen = []
        trainer = federation(rounds=2, sizes=(12,), batch_size=100, **settings)
        trainer.on_round = lambda row, t=trainer, s=seen: s.append(t.server.vector.clone())
        trainer.train()
        rates[bool(settings)] = (seen, trainer.history)
    (plain, _), (halved, history) = rates[False], rates[True]
    assert torch.equal(plain[1], halved[1])
    assert torch.allclose(halved[2] - halved[1], (plain[2] - plain[1]) / 2, rtol=0, atol=1e-12)
    assert [row.get("learning_rate") for row in history] == [None, 0.1, pytest.approx(0.05)]


def test_labels_are_those_of_the_rows():
    store = small_store()
    trainer = federation(store=store, model=Linear)
    rows = torch.tensor([3, 0])
    assert torch.equal(trainer.data.batch(rows)[1], torch.from_numpy(store.labels[[3, 0]]))


def test_a_split_of_another_store_is_refused():
    from federations import split_of

    from medfl.federated import FederatedData

    with pytest.raises(MedflError, match="make the split again"):
        FederatedData(small_store(70), split_of(small_store(60), [8, 8]))


def test_feature_skew_reaches_the_clients_images():
    from federations import split_of

    from medfl.federated import FederatedData
    from medfl.partition import client_transform

    store = small_store(60, size=8)
    split = split_of(store, [8, 8])
    split.partition = "noise-0.5"
    data = FederatedData(store, split)
    for client in (0, 1):
        rows = np.flatnonzero(split.clients == client)
        transform = client_transform("noise-0.5", client, 2, 0)
        expected = store.images[rows] if transform is None else transform(store.images[rows])
        assert np.array_equal(data.images[rows].numpy(), expected)
    assert not np.array_equal(data.images.numpy(), store.images)
