"""Writes the comparison as CSV (numbers), Markdown and LaTeX (mean ± standard deviation)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from medfl.files import write_text
from medfl.pages.words import with_code
from medfl.report.grid_results import GridResults
from medfl.report.latex import latex
from medfl.report.main_tables import (
    cost_metrics,
    cost_table,
    main_metrics,
    main_table,
    metric_table,
    metrics_with_values,
)
from medfl.report.numbers import numbers
from medfl.report.spreadsheet import write_spreadsheet
from medfl.report.tables import ArmTable, Entry
from medfl.results.column import Column


def escape_markdown(text: str) -> str:
    """``text`` so that a Markdown table prints it as it is."""
    return re.sub(r"([\\|*_`<\[\]])", r"\\\1", text)


def markdown_words(text: str) -> str:
    """A sentence for Markdown: what stands in backticks is code, all else is printed as it is."""
    return with_code(text, escape_markdown, "`{}`".format)


def markdown(tables: Sequence[tuple[str, ArmTable]]) -> str:
    """Tables with their datasets (or none), as Markdown."""
    blocks = []
    for dataset, table in tables:
        name = f"{escape_markdown(dataset)}: " if dataset else ""
        lines = [f"## {name}{table.title}", ""]
        lines.append("| " + " | ".join(map(escape_markdown, table.header)) + " |")
        lines.append("|" + "|".join([":--"] + ["--:"] * (len(table.header) - 1)) + "|")
        groups = table.groups()
        for title, rows in groups:
            if len(groups) > 1:
                lines.append(f"| *{title}* |" + " |" * (len(table.header) - 1))
            for row in rows:
                cells = [escape_markdown(row.label), *map(_markdown_entry, row.entries)]
                lines.append("| " + " | ".join(cells) + " |")
        lines += ["", *(f"{markdown_words(note)}  " for note in table.notes)]
        blocks.append("\n".join(lines).rstrip())
    return "\n\n".join(blocks) + "\n"


def _markdown_entry(entry: Entry) -> str:
    text = escape_markdown(entry.text)
    return f"**{text}**" if entry.best else text


def write_tables(results: GridResults, folder: str | Path) -> list[Path]:
    """Write ``comparison`` and one table per metric as CSV, Markdown and LaTeX; return paths."""
    folder = Path(folder)
    written = []
    titled = [(dataset, main_table(results, dataset)) for dataset in results.datasets]
    jobs: list[tuple[str, Sequence[Column], list[tuple[str, ArmTable]]]] = [
        ("comparison", main_metrics(results), titled),
        ("cost", cost_metrics(results), [(d, cost_table(results, d)) for d in results.datasets]),
    ]
    for metric in metrics_with_values(results):
        titled = [(name, metric_table(results, name, metric)) for name in results.datasets]
        jobs.append((metric.name.removeprefix("test_"), [metric], titled))
    for name, metrics, titled in jobs:
        columns, rows = numbers(results, metrics)
        write_spreadsheet(folder / f"{name}.csv", columns, rows)
        write_text(folder / f"{name}.md", markdown(titled))
        write_text(folder / f"{name}.tex", latex(titled, name))
        written += [folder / f"{name}.{ending}" for ending in ("csv", "md", "tex")]
    return written
