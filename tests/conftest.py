"""What tests share: real data where it is, and small data where it is not needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real medical images, in their publishers' layouts."""
    folder = Path(os.environ.get("MEDFL_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "ham10000").is_dir():
        pytest.skip("no real data: set MEDFL_TEST_DATA to a folder that holds ham10000/ …")
    return folder
