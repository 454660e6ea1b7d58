"""The memory bench runs as it stands, on few images, in this process."""

from __future__ import annotations

import pytest

from benchmarks import memory
from medfl.federated.client_state import ClientStates


@pytest.fixture
def small(monkeypatch):
    """Few clients and images, and peaks that are counted: 100 bytes for each process so far."""
    ran: list[list[str]] = []

    def peak(*words):
        memory.main(list(words))
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
    assert set(on_disk[: len(on_disk) // 2]) == {True}
    assert set(on_disk[len(on_disk) // 2 :]) == {False}
    workers = list(memory.workers(tmp_path, 1))
    assert [result.target for result in workers] == [1.3, 1.9]
    assert all(words[0] == "run" for words in small[3:])
