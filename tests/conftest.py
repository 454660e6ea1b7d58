"""What tests share: real data where it is, and small data where it is not needed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medfl.versions import code_of

ROOT = Path(__file__).parent.parent
# A shell starts what it puts in the background with Ctrl-C ignored; tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real medical images, in their publishers' layouts."""
    folder = Path(os.environ.get("MEDFL_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "ham10000").is_dir():
        pytest.skip("no real data: set MEDFL_TEST_DATA to a folder that holds ham10000/ …")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _what_is_free_is_given_back() -> Iterator[None]:
    """Gigabytes that a file of tests has let go would make each later fork take longer."""
    yield
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture
def own_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, str], Path]]:
    """Writes a person's own module, by name and code, into ``tmp_path``, the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    written = []

    def write(name: str, code: str) -> Path:
        written.append(name)
        path = tmp_path / f"{name}.py"
        path.write_text(code, encoding="utf-8")
        code_of.cache_clear()
        return path

    yield write
    for name in written:
        sys.modules.pop(name, None)
    code_of.cache_clear()
