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
    """Tables with their datasets, as LaTeX floats."""
    blocks = ["% Needs \\usepackage{booktabs} and \\usepackage{graphicx}."]
    for dataset, table in tables:
        width = len(table.header)
        apart = "-everyone" if table.question == EVERYONE else ""
        lines = [
            r"\begin{table}",
            r"  \centering",
            f"  \\caption{{{escape_latex(f'{dataset}: {table.title}. ' + ' '.join(table.notes))}}}",
            f"  \\label{{tab:{re.sub('[^a-z0-9]+', '-', f'{label}{apart}-{dataset}'.lower())}}}",
            r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            f"  \\begin{{tabular}}{{l{'r' * (width - 1)}}}",
            r"    \toprule",
            f"    {' & '.join(map(escape_latex, table.header))} \\\\",
        ]
        groups = table.groups()
        for title, rows in groups:
            lines.append(r"    \midrule")
            if len(groups) > 1:
                lines.append(
                    f"    \\multicolumn{{{width}}}{{l}}{{\\emph{{{escape_latex(title)}}}}} \\\\"
                )
            for row in rows:
                cells = [escape_latex(row.label), *map(_latex_entry, row.entries)]
                lines.append(f"    {' & '.join(cells)} \\\\")
        lines += [r"    \bottomrule", r"  \end{tabular}}", r"\end{table}"]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


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
