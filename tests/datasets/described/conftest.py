"""An empty working folder, and stores made in it of descriptions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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
