"""What an installation holds: every file of the package, found even beside a clone called medfl."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import medfl
from medfl.cli import main

ROOT = Path(__file__).resolve().parents[1]


def members(folder: Path, version: str) -> dict[str, bytes]:
    """The files of a wheel of this checkout, by their names in it."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=[version])
    with zipfile.ZipFile(wheel) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_the_wheel_holds_every_file_of_the_package(tmp_path):
    held = {name for name in members(tmp_path, "standard") if name.startswith("medfl/")}
    files = [path for path in (ROOT / "medfl").rglob("*") if path.is_file()]
    expected = {str(path.relative_to(ROOT)) for path in files if path.suffix != ".pyc"}
    assert held == expected
    assert {"medfl/py.typed", "medfl/pages/templates/style.css"} <= held


def test_beside_a_clone_of_that_name_the_installed_package_is_found(tmp_path):
    """The folder `medfl` of a clone has no __init__.py: a package later on the path comes first."""
    (entry,) = [
        text.decode().strip()
        for name, text in members(tmp_path / "wheel", "editable").items()
        if name.endswith(".pth")
    ]
    assert Path(entry) == ROOT
    (tmp_path / "medfl").mkdir()
    code = "import sys; sys.path.append(sys.argv[1]); import medfl; print(medfl.__version__)"
    # -E and -S: neither PYTHONPATH nor this environment's own installation helps.
    command = [sys.executable, "-E", "-S", "-c", code, entry]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == medfl.__version__


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"medfl {medfl.__version__}\n"
