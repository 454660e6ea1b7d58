"""How many cores a process may use, by what its scheduler and container say."""

from __future__ import annotations

import os

import pytest

from medfl.files import parallel


@pytest.fixture
def machine(monkeypatch):
    """A machine of 8 cores outside of any job."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8), raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    quotas = []
    monkeypatch.setattr(parallel, "_quotas", lambda: quotas)
    return quotas


def test_the_cores_that_the_process_is_bound_to(machine, monkeypatch):
    assert parallel.cpu_count() == 8
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert parallel.cpu_count() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert parallel.cpu_count() == 1


@pytest.mark.parametrize(("said", "cores"), [("3", 3), ("12", 8), ("", 8), ("all", 8), ("0", 1)])
def test_what_slurm_gives_a_task(said, cores, machine, monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", said)
    assert parallel.cpu_count() == cores


@pytest.mark.parametrize(("found", "cores"), [([4], 4), ([4, 2], 2), ([0], 1), ([100], 8)])
def test_the_least_quota_counts_and_is_never_less_than_a_core(found, cores, machine):
    machine += found
    assert parallel.cpu_count() == cores


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_quotas_of_groups_of_version_2(tmp_path):
    """A pod of 3.5 cores in a slice of 6; the job's own group has no limit."""
    root, own = tmp_path / "fs", tmp_path / "cgroup"
    own.write_text("0::/slice/pod/job\n")
    write(root / "slice/pod/job/cpu.max", "max 100000\n")
    write(root / "slice/pod/cpu.max", "350000 100000\n")
    write(root / "slice/cpu.max", "300000 50000\n")
    assert parallel._quotas(own, root) == [3, 6]


def test_quotas_of_groups_of_version_1(tmp_path):
    root, own = tmp_path / "fs", tmp_path / "cgroup"
    own.write_text("4:memory:/docker\n3:cpu,cpuacct:/docker\n0::/nowhere\n")
    write(root / "cpu/docker/cpu.cfs_quota_us", "250000\n")
    write(root / "cpu/docker/cpu.cfs_period_us", "100000\n")
    write(root / "cpu/cpu.cfs_quota_us", "-1\n")
    write(root / "cpu/cpu.cfs_period_us", "100000\n")
    assert parallel._quotas(own, root) == [2]


def test_groups_that_cannot_be_read_limit_nothing(tmp_path):
    own = tmp_path / "cgroup"
    assert parallel._quotas(own, tmp_path) == []
    own.write_text("0::/\n")
    write(tmp_path / "cpu.max", "what?")
    assert parallel._quotas(own, tmp_path) == []
    write(tmp_path / "cpu.max", "100000 0\n")
    assert parallel._quotas(own, tmp_path) == []
