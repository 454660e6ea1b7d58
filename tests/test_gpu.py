"""GPU slots, with processes that really compete; no GPU is needed for it."""

from __future__ import annotations

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
            [sys.executable, "-c", TAKE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
