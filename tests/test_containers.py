"""What goes into the images: all that `make install` and a start in them read."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
"""What an installation brings, the plugin among them that every start of Snakemake names."""

READ = {"Makefile", "requirements.lock", "pyproject.toml", PROJECT["project"]["readme"]}


def test_the_apptainer_image_holds_all_that_is_installed():
    text = (ROOT / "apptainer.def").read_text(encoding="utf-8")
    lines = re.search(r"%files\n(.*?)\n\n", text, re.DOTALL)[1].splitlines()
    copied = [line.split() for line in lines]
    names = {name for *sources, _ in copied for name in sources}
    assert names >= PACKAGES | READ
    for package in PACKAGES:  # a folder is copied under the name that is given
        assert [package, f"/opt/medfl/{package}"] in copied
    assert all((ROOT / name).exists() for name in names)


def test_docker_lets_in_all_that_is_installed():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert let_in >= PACKAGES | READ | {"Snakefile", "rules", "params", "profiles", "workflow"}
    assert all((ROOT / name).exists() for name in let_in)
