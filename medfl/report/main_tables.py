"""Which tables of the comparison there are: the main one, the cost, and one for each metric."""

from __future__ import annotations

from dataclasses import replace

from medfl.report.grid_results import GridResults
from medfl.report.privacy import promises
from medfl.report.questions import TITLES, about, asked_of
from medfl.report.tables import BUDGET, COUNTS, ArmTable, Place, budgets, make_table
from medfl.results.column import Column
from medfl.results.columns import (
    MAIN,
    MEGABYTES,
    OWN,
    SECONDS,
    TABLES,
    WORST,
    columns_in,
    judged,
)

COST = (MEGABYTES, SECONDS)


def main_table(results: GridResults, dataset: str) -> ArmTable:
    """Both answers in each partition by the primary metric, counts, and means of other metrics."""
    questions = asked_of(results, dataset)
    primary = [results.primary(dataset, question) for question in questions]
    others = [
        metric
        for metric in columns_in(MAIN)
        if metric not in primary and metric.question in ("", *questions)
    ]
    columns = budgets(results, dataset)
    columns += [(part, metric) for part in results.partitions_of(dataset) for metric in primary]
    columns += [*COUNTS, *((None, metric) for metric in others)]
    return make_table(results, dataset, primary[0].title, columns, questions, main=True)


def cost_table(results: GridResults, dataset: str) -> ArmTable:
    """What each arm is worth and what it costs, in the mean over the partitions."""
    questions = asked_of(results, dataset)
    primary = [results.primary(dataset, question) for question in questions]
    place = results.partitions_of(dataset)[0] if len(results.partitions_of(dataset)) == 1 else None
    columns: list[Place | str] = [(place, metric) for metric in (*primary, WORST, *COST)]
    columns = [*columns[: len(primary)], *budgets(results, dataset), *columns[len(primary) :]]
    made = make_table(
        results, dataset, f"{primary[0].title} and cost", columns, questions, sizes=False
    )
    heads = [TITLES[one.question].capitalize() for one in primary]
    if len(heads) == 1:
        heads = [primary[0].short]
    heads += [BUDGET] if promises(results, dataset) else []
    heads += [metric.short for metric in (WORST, *COST)]
    return replace(made, header=("Arm", *heads))


def metric_table(results: GridResults, dataset: str, metric: Column) -> ArmTable:
    """One metric in each partition, and its mean over them."""
    columns = budgets(results, dataset)
    columns += [(partition, metric) for partition in results.partitions_of(dataset)]
    if len(results.partitions_of(dataset)) > 1:
        columns.append((None, metric))
    question = metric.question or OWN
    title = judged(metric.metric).title if metric.metric else metric.title
    if metric.question:
        title += about(results, dataset, question)
    return make_table(results, dataset, title, columns, [question])


def metrics_with_values(results: GridResults) -> list[Column]:
    """The metrics that any finished run has, but those of the main tables' partitions.

    What is for everyone is left out where every arm's own patients are judged by the same model.
    """
    main, tables = columns_in(MAIN), columns_in(TABLES)
    asked = {question for dataset in results.datasets for question in results.questions(dataset)}
    shown = {
        results.primary(dataset, question)
        for dataset in results.datasets
        for question in results.questions(dataset)
    }
    alike = len({results.primary(dataset) for dataset in results.datasets}) == 1
    return [
        metric
        for metric in (*main, *(other for other in tables if other not in main))
        if not (alike and metric in shown)
        and metric.question in ("", *asked)
        and results.known(metric)
    ]


def cost_metrics(results: GridResults) -> list[Column]:
    """The metrics of the tables of cost."""
    primary = dict.fromkeys(
        results.primary(dataset, question)
        for dataset in results.datasets
        for question in asked_of(results, dataset)
    )
    return [*primary, WORST, *COST]


def main_metrics(results: GridResults) -> list[Column]:
    """The metrics of the main tables: each dataset's primary ones, then the others."""
    found = dict.fromkeys(
        results.primary(dataset, question)
        for dataset in results.datasets
        for question in results.questions(dataset)
    )
    asked = {metric.question for metric in found}
    found |= dict.fromkeys(m for m in columns_in(MAIN) if m.question in ("", *asked))
    return list(found)
