"""The notebook: what is committed was run from top to bottom, and it still runs."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

PATH = Path(__file__).resolve().parents[1] / "docs" / "notebooks" / "from-store-to-plot.ipynb"


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """What each cell of code put out: text, a table, a picture."""
    return [[output.output_type for output in cell.outputs] for cell in code_cells(notebook)]


def test_the_committed_notebook_was_run_from_top_to_bottom():
    notebook = nbformat.read(PATH, as_version=4)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    shown = {kind for cell in kinds(notebook) for kind in cell}
    assert shown == {"stream", "display_data", "execute_result"}  # no error
    text = PATH.read_text(encoding="utf-8")
    assert not re.search(r'"name": "stderr"|/tmp/|/home/|[A-Z]:\\\\', text)
    assert len(text) < 200_000


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra docs")
    committed = nbformat.read(PATH, as_version=4)
    fresh = nbformat.read(PATH, as_version=4)
    client = nbclient.NotebookClient(
        fresh, timeout=900, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert kinds(fresh) == kinds(committed)
