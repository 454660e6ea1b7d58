"""The memory bench runs as it stands, on few images, in this process."""

from __future__ import annotations

import os
import signal
from itertools import groupby

import pytest

from benchmarks import memory
from medfl.federated.client_state import ClientStates


@pytest.fixture
def small(monkeypatch):
    """Few clients and images, and peaks that are counted: 100 bytes for each process so far."""
    ran: list[list[str]] = []

    def peak(*words):
        memory.main([word for word in words if word != "together"])
        ran.append(list(words))
        return 100 * len(ran)

    monkeypatch.setattr(memory, "peak", peak)
    monkeypatch.setattr(memory, "PICTURE", 16)
    monkeypatch.setattr(memory, "SPARE", 12)
    monkeypatch.setattr(memory, "FEW", 2)
    monkeypatch.setattr(memory, "MANY", 4)
    monkeypatch.setattr(memory, "OF_ALL", 16)
    monkeypatch.setattr(memory, "BATCH", 4)
    monkeypatch.setattr(memory, "PLAIN", {"cnn": (2, 1)})
    return ran


def test_all_parts_run_and_compare_what_they_say(small, tmp_path, monkeypatch):
    on_disk: list[bool] = []
    original = ClientStates._belongs_on_disk

    def spy(self, kept):
        on_disk.append(original(self, kept))
        return on_disk[-1]

    monkeypatch.setattr(ClientStates, "_belongs_on_disk", spy)
    plain = list(memory.plain(tmp_path, 1))
    # `import torch` is the first process, the loop the second, the run the third.
    assert [words[0] for words in small] == ["nothing", "loop", "run"]
    assert [result.ratios for result in plain] == [[300 / 200], [200 / 100]]
    clients = list(memory.clients(tmp_path, 1))
    assert [result.target for result in clients] == [1.1, 1.1, None]
    assert [where for where, _ in groupby(on_disk)] == [True, False]
    workers = list(memory.workers(tmp_path, 1))
    assert [result.target for result in workers] == [1.3, None, 1.9, None]
    asked = ["run"] * 6 + ["together", "step"] + ["together"] * 3
    assert [words[0] for words in small[3:]] == asked
    # `import torch` is the 10th process, so it took 1000 bytes, a step 1100, one worker's run 1200.
    assert [result.ratios for result in workers[1::2]] == [[3200 / 1200], [5400 / 1200]]


def test_all_processes_count_what_they_share_once():
    """Of 64 MiB that a fork shares each has half; 32 MiB of its own it has alone."""
    shared = bytearray(b"1") * 2**26
    before = memory.proportional(os.getpid())
    reading, writing = os.pipe()
    number = os.fork()
    if number == 0:
        own = bytearray(b"1") * 2**25
        os.write(writing, b"!")
        signal.pause()
        os._exit(len(own) == 0)
    try:
        os.read(reading, 1)
        assert number in memory.children()
        both = memory.proportional(os.getpid()) + memory.proportional(number)
        assert 0.9 * 2**25 < both - before < 1.5 * 2**25
    finally:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
    assert memory.proportional(number) == 0
    assert len(shared) == 2**26
