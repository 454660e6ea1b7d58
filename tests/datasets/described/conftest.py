"""Small folders of images as a hospital may have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medfl.datasets.prepare import prepare
from medfl.store import Store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with params/datasets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDFL_DATA", raising=False)
    monkeypatch.delenv("MEDFL_DATASETS", raising=False)
    Path("params/datasets").mkdir(parents=True)
    return tmp_path


def grey(path: str | Path, value: int, shape: tuple[int, int] = (10, 8)) -> Path:
    """A uniform PNG."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)
    return path


@pytest.fixture
def made(place: Path) -> Callable[..., Store]:
    """Write a description (and a table), prepare it, open the store."""

    def make(text: str, table: str | bytes = "", name: str = "mine", **options: object) -> Store:
        if table:
            content = table if isinstance(table, bytes) else table.encode()
            Path("params/datasets/labels.csv").write_bytes(content)
        Path(f"params/datasets/{name}.yaml").write_text(text)
        return Store.open(prepare(name, **options))  # type: ignore[arg-type]

    return make
