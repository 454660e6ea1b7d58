"""How many clients train side by side, and what is said where they are fewer than asked for."""

from __future__ import annotations

import logging

import pytest
import torch
from federations import Dropped, Grouped, Normed, federation, small_store

from medfl.federated import worker_count
from medfl.federated.fingerprint import fingerprint
from medfl.federated.worker_count import count_workers
from medfl.federated.worker_memory import worker_bytes
from medfl.federated.workers import own_state

FIVE = (4, 4, 4, 4, 4)


@pytest.fixture
def ours(monkeypatch):
    """The networks of tests count as medfl's own."""
    monkeypatch.setattr(own_state, "_LIBRARIES", ("medfl", "torch", "federations"))


def counted(workers, cores, algorithm="fedavg", sizes=FIVE, **settings):
    return count_workers(
        federation(algorithm, sizes=sizes, workers=workers, **settings).server, cores
    )


@pytest.mark.parametrize(
    ("workers", "cores", "found"),
    [
        (1, 16, (1, "")),
        (3, 16, (3, "")),
        (5, 16, (5, "")),
        (8, 16, (5, "5 of 8 workers: a round has 5 clients")),
        (4, 2, (2, "2 of 4 workers: there are 2 cores")),
        ("auto", 3, (3, "")),
        ("auto", 1, (1, "")),
        ("auto", 64, (5, "5 of 64 workers: a round has 5 clients")),
    ],
)
def test_as_many_as_there_are_clients_and_cores(workers, cores, found, ours):
    assert counted(workers, cores) == found


def test_by_default_a_run_takes_the_cores_of_its_process(monkeypatch, ours):
    monkeypatch.setattr(worker_count, "cpu_count", lambda: 3)
    assert counted("auto", None) == (3, "")
    assert federation(sizes=FIVE).server.workers.number == 3


def test_clients_that_take_part_in_a_round(ours):
    assert counted(8, 16, clients_per_round=2) == (2, "2 of 8 workers: a round has 2 clients")
    assert counted(8, 16, "local", clients_per_round=2)[0] == 5, "each trains, in each round"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"algorithm": "centralized"}, "one client trains, and there is nobody to train beside it"),
        ({"sizes": (9,)}, "one client trains, and there is nobody to train beside it"),
    ],
)
def test_one_after_the_other(settings, reason, ours):
    assert counted(4, 16, **settings) == (1, f"1 of 4 workers: {reason}")
    assert counted("auto", 4, **settings) == (1, f"1 of 4 workers: {reason}")


def test_systems_without_fork(monkeypatch, ours):
    monkeypatch.setattr("sys.platform", "darwin")
    reason = "1 of 4 workers: processes that train clients side by side need Linux"
    assert counted(4, 4) == (1, reason)
    assert counted("auto", 4) == (1, reason)


def test_a_gpu_trains_one_client_after_the_other(monkeypatch, ours):
    trainer = federation(sizes=FIVE, workers=4)
    trainer.server.data.device = torch.device("cuda")
    reason = "1 of 4 workers: clients train one after the other on a GPU"
    assert count_workers(trainer.server, 4) == (1, reason)


def test_batch_norm_that_counts_batches(ours):
    class Counting(torch.nn.Sequential):
        def __init__(self):
            super().__init__(
                torch.nn.BatchNorm2d(1, momentum=None), torch.nn.Flatten(), torch.nn.Linear(36, 3)
            )

    number, reason = counted(4, 16, model=Counting)
    assert (number, reason.split(": ")[1]) == (
        1,
        "batch norm without momentum counts the batches of all clients",
    )


def test_auto_leaves_a_persons_own_classes_alone():
    why = "auto does not know whether Dropped keeps anything on itself while clients train"
    assert counted("auto", 4, model=Dropped) == (1, f"1 of 4 workers: {why}")
    assert counted(4, 4, model=Dropped) == (4, "")


def test_auto_leaves_the_cores_to_threads(ours):
    assert counted("auto", 4, threads=2) == (1, "1 of 4 workers: training.threads is 2")


def test_auto_leaves_half_of_the_free_memory(monkeypatch, ours):
    """The linear network of 111 numbers: a batch of 4 images of 36 numbers is all that it keeps."""
    server = federation(sizes=FIVE).server
    need = 1.5 * 4 * 36 * 8 + 4 * 111 * 8
    assert worker_bytes(server) == need
    free = 2 * (2 * need) + 1  # half of it is room for two more
    monkeypatch.setattr("medfl.federated.worker_memory.free_memory", lambda: free)
    assert counted("auto", 8) == (3, "3 of 8 workers: more would need too much memory")
    assert counted("auto", 2) == (2, "")
    assert counted(5, 8) == (5, ""), "a number that was asked for is taken"


def test_what_is_kept_of_single_samples_gradients_counts(ours):
    chain = {"links": {"dp_image": {"noise_multiplier": 1.0}}}
    private = federation(model=Grouped, local_steps=1, chain=chain).server
    plain = federation(model=Grouped, local_steps=1).server
    assert worker_bytes(private) - worker_bytes(plain) == 2**29


@pytest.mark.parametrize("model", [Dropped, Normed])
def test_asking_for_the_memory_changes_nothing(model, ours):
    """Neither the process's generator, of which dropout draws, nor a batch norm's statistics."""
    server = federation(model=model).server
    buffers, state = server.model.buffers.clone(), torch.random.get_rng_state()
    worker_bytes(server)
    assert torch.equal(server.model.buffers, buffers)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_it_is_said_once_in_the_log(caplog, ours):
    trainer = federation(sizes=FIVE, workers=8, cores=16, store=small_store(60))
    with caplog.at_level(logging.INFO, logger="medfl"):
        trainer.train()
    lines = [record.getMessage() for record in caplog.records]
    assert lines.count("5 of 8 workers: a round has 5 clients") == 1


def test_the_record_says_how_many_and_the_fingerprint_does_not(ours):
    trainers = [federation(sizes=FIVE, workers=number, cores=4) for number in (1, 2, "auto")]
    assert len({fingerprint(trainer.config) for trainer in trainers}) == 1
    for trainer in trainers:
        trainer.train()
    assert [trainer.stretches[0]["workers"] for trainer in trainers] == [1, 2, 4]
    assert [trainer.stretches[0]["threads"] for trainer in trainers] == [1, 1, 1]
