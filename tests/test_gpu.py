"""GPU slots, with processes that really compete; no GPU is needed for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from medfl import gpu
from medfl.errors import MedflError

TAKE = "from medfl.gpu import take_slot; print(take_slot(), flush=True); input()"


@pytest.fixture
def slots(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDFL_GPU_LOCKS", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    started = []

    def take() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", TAKE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield take
    for process in started:
        process.kill()
        process.communicate()


def test_processes_fill_the_gpus_evenly_and_a_killed_one_frees_its_slot(slots, monkeypatch):
    monkeypatch.setenv("MEDFL_JOBS_PER_GPU", "2")
    running = []
    given = []
    for _ in range(4):
        running.append(slots())
        given.append(running[-1].stdout.readline().strip())
    assert given == ["0", "3", "0", "3"]
    late = slots()  # waits: there are four slots
    held = ", ".join(str(running[number].pid) for number in (0, 1, 2, 3))
    assert late.stderr.readline().startswith(
        f"waiting for one of 4 GPU slots, which processes {held} hold"
    )
    running[1].kill()
    assert late.stdout.readline().strip() == "3"


def test_the_device_of_a_run_decides_whether_a_slot_is_taken(slots):
    assert gpu.take_slot("cpu") is None
    assert gpu.take_slot("cuda:1") is None


@pytest.mark.parametrize(
    ("value", "expected"), [("", []), ("-1", []), ("0, 2", ["0", "2"]), ("GPU-1a", ["GPU-1a"])]
)
def test_a_users_choice_of_devices_is_honoured(monkeypatch, value, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert gpu.visible_gpus() == expected


@pytest.mark.parametrize("word", ["0", "two", "-1", "1.5"])
def test_a_wrong_number_of_jobs_is_refused(monkeypatch, word):
    monkeypatch.setenv("MEDFL_JOBS_PER_GPU", word)
    with pytest.raises(MedflError, match="MEDFL_JOBS_PER_GPU"):
        gpu.jobs_per_gpu()


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_what_lies_in_the_place_of_a_lock_is_neither_followed_nor_waited_for(
    tmp_path, monkeypatch, kind
):
    monkeypatch.setenv("MEDFL_GPU_LOCKS", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    place, other = tmp_path / "local/0.0", tmp_path / "other"
    place.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(other)
    if kind == "link":
        other.write_text("kept")
    with pytest.raises(MedflError, match=r"local/0\.0, cannot be used .*MEDFL_GPU_LOCKS"):
        gpu.take_slot()
    assert other.read_text() == "kept" if kind == "link" else not other.exists()


def test_locks_lie_in_a_folder_of_the_users_own(tmp_path, monkeypatch):
    monkeypatch.delenv("MEDFL_GPU_LOCKS", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    assert gpu.take_slot() == "5"
    [lock] = (tmp_path / "cache").rglob("5.0")
    assert lock.parent.name == "local"
    assert lock.read_text() == str(os.getpid())
    assert lock.parent.stat().st_mode & 0o077 == 0, "nobody else may write there"
    os.close(gpu._held.pop())
