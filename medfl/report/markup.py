"""Writes tables as CSV (numbers), Markdown and LaTeX (mean ± standard deviation)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from medfl.files import write_csv, write_text
from medfl.report.grid_results import GridResults
from medfl.report.numbers import numbers
from medfl.report.tables import (
    ArmTable,
    Entry,
    main_metrics,
    main_tables,
    metric_table,
    metrics_with_values,
)
from medfl.results.column import Column
from medfl.results.columns import EVERYONE

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "†": r"\textsuperscript{\dag}",
    "–": "--",
    "α": r"$\alpha$",
    "δ": r"$\delta$",
    "ε": r"$\varepsilon$",
    "∞": r"$\infty$",
    "σ": r"$\sigma$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "≈": r"$\approx$",
    "“": "``",
    "”": "''",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_LATEX_PATTERN = re.compile("|".join(re.escape(character) for character in _LATEX))


def escape_latex(text: str) -> str:
    """``text`` so that LaTeX prints it as it is."""
    return _LATEX_PATTERN.sub(lambda match: _LATEX[match.group()], text)


def escape_markdown(text: str) -> str:
    """``text`` so that a Markdown table prints it as it is."""
    return re.sub(r"([\\|*_`<\[\]])", r"\\\1", text)


def markdown(tables: Sequence[tuple[str, ArmTable]]) -> str:
    """Tables with their datasets, as Markdown."""
    blocks = []
    for dataset, table in tables:
        lines = [f"## {escape_markdown(dataset)}: {table.title}", ""]
        lines.append("| " + " | ".join(map(escape_markdown, table.header)) + " |")
        lines.append("|" + "|".join([":--"] + ["--:"] * (len(table.header) - 1)) + "|")
        groups = table.groups()
        for title, rows in groups:
            if len(groups) > 1:
                lines.append(f"| *{title}* |" + " |" * (len(table.header) - 1))
            for row in rows:
                cells = [escape_markdown(row.label), *map(_markdown_entry, row.entries)]
                lines.append("| " + " | ".join(cells) + " |")
        lines += ["", *(f"{escape_markdown(note)}  " for note in table.notes)]
        blocks.append("\n".join(lines).rstrip())
    return "\n\n".join(blocks) + "\n"


def _markdown_entry(entry: Entry) -> str:
    text = escape_markdown(entry.text)
    return f"**{text}**" if entry.best else text


def latex(tables: Sequence[tuple[str, ArmTable]], label: str) -> str:
    """Tables with their datasets, as LaTeX floats.

    They are set in the size of footnotes, which is legible, and never shrunk: columns that do not
    fit beside the others into a line of the class ``article`` make a further table below.
    """
    blocks = ["% Needs \\usepackage{booktabs}."]
    for dataset, table in tables:
        apart = "-everyone" if table.question == EVERYONE else ""
        caption = escape_latex(f"{dataset}: {table.title}. " + " ".join(table.notes))
        lines = [
            r"\begin{table}",
            r"  \centering\footnotesize\setlength{\tabcolsep}{4pt}",
            f"  \\caption{{{caption}}}",
            f"  \\label{{tab:{re.sub('[^a-z0-9]+', '-', f'{label}{apart}-{dataset}'.lower())}}}",
        ]
        for number, columns in enumerate(_columns_that_fit(table)):
            lines += [r"  \par\medskip"] if number else []
            lines += _tabular(table, columns)
        blocks.append("\n".join([*lines, r"\end{table}"]))
    return "\n\n".join(blocks) + "\n"


LINE = 76  # characters of a table's row, in the size of footnotes, with two for each gap


def _columns_that_fit(table: ArmTable) -> list[range]:
    """The columns of entries, parted so that each part fits into a line beside the arms' names."""
    first = max(len(word) for word in (table.header[0], *(row.label for row in table.rows)))
    parts, start, used = [], 0, first
    for column, head in enumerate(table.header[1:]):
        wide = 2 + max(len(head), *(len(row.entries[column].text) for row in table.rows))
        if used + wide > LINE and column > start:
            parts.append(range(start, column))
            start, used = column, first
        used += wide
    return [*parts, range(start, len(table.header) - 1)]


def _tabular(table: ArmTable, columns: range) -> list[str]:
    width = 1 + len(columns)
    header = [table.header[0], *(table.header[1 + column] for column in columns)]
    lines = [
        f"  \\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"    \toprule",
        f"    {' & '.join(map(escape_latex, header))} \\\\",
    ]
    groups = table.groups()
    for title, rows in groups:
        lines.append(r"    \midrule")
        if len(groups) > 1:
            lines.append(
                f"    \\multicolumn{{{width}}}{{l}}{{\\emph{{{escape_latex(title)}}}}} \\\\"
            )
        for row in rows:
            entries = [row.entries[column] for column in columns]
            cells = [escape_latex(row.label), *map(_latex_entry, entries)]
            lines.append(f"    {' & '.join(cells)} \\\\")
    return [*lines, r"    \bottomrule", r"  \end{tabular}"]


def _latex_entry(entry: Entry) -> str:
    text = escape_latex(entry.text)
    return f"\\textbf{{{text}}}" if entry.best else text


def write_tables(results: GridResults, folder: str | Path) -> list[Path]:
    """Write ``comparison`` and one table per metric as CSV, Markdown and LaTeX; return paths."""
    folder = Path(folder)
    written = []
    titled = [
        (dataset, table) for dataset in results.datasets for table in main_tables(results, dataset)
    ]
    jobs: list[tuple[str, Sequence[Column], list[tuple[str, ArmTable]]]] = [
        ("comparison", main_metrics(results), titled)
    ]
    for metric in metrics_with_values(results):
        titled = [(name, metric_table(results, name, metric)) for name in results.datasets]
        jobs.append((metric.name.removeprefix("test_"), [metric], titled))
    for name, metrics, titled in jobs:
        columns, rows = numbers(results, metrics)
        write_csv(folder / f"{name}.csv", columns, rows)
        write_text(folder / f"{name}.md", markdown(titled))
        write_text(folder / f"{name}.tex", latex(titled, name))
        written += [folder / f"{name}.{ending}" for ending in ("csv", "md", "tex")]
    return written
