"""Patients that several processes simulate are those that one does."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from medfl.errors import MedflError
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


def die_at_the_third(folder, seed, number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads elsewhere")
def test_a_process_that_dies_twice_of_a_patient_is_told(tmp_path):
    with pytest.raises(
        MedflError, match=r"^a process that simulated patient 2 has ended by itself"
    ):
        simulated(die_at_the_third, tmp_path, 5, 100, 2)
