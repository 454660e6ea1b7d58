"""Patients that several processes simulate are those that one does."""

from __future__ import annotations

import os
import signal
import time

import pytest

from medfl.errors import MedflError
from medfl.phantom import spread
from medfl.phantom.spread import simulated
from medfl.phantom.volume_writer import write_patient
from medfl.phantom.writer import write_radiographs


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(("write", "patients"), [(write_radiographs, 7), (write_patient, 3)])
def test_several_processes_write_the_same_files_and_rows(write, patients, tmp_path):
    found = []
    for processes in (1, 2, 3):
        folder = tmp_path / str(processes)
        (folder / "volumes").mkdir(parents=True)
        found.append((simulated(write, folder, 5, patients, processes), files(folder)))
    assert len(found[0][0]) == patients
    assert len(found[0][1]) >= patients
    assert found[0] == found[1] == found[2]


def test_a_few_patients_are_simulated_here(tmp_path, monkeypatch):
    monkeypatch.setattr(spread.subprocess, "Popen", None)
    assert len(simulated(write_radiographs, tmp_path, 5, 3)) == 3


def die_at_the_third(folder, seed, number):
    (folder / str(number)).write_text(str(os.getpid()))
    if number == 2:
        while not (folder / "3").exists():
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)
    if number > 2:
        time.sleep(60)
    return number


def test_a_process_that_dies_is_told_and_ends_the_others(tmp_path):
    with pytest.raises(MedflError, match=r"beside this one has ended with status -9, perhaps"):
        simulated(die_at_the_third, tmp_path, 5, 100, 2)
    left = int((tmp_path / "3").read_text())
    assert left != int((tmp_path / "2").read_text())
    assert not os.path.exists(f"/proc/{left}")
