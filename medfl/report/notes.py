"""The notes below a table: what its cells are, and what they do not say."""

from __future__ import annotations

from collections.abc import Sequence

from medfl.partition import partition_title
from medfl.report import names
from medfl.report.grid_results import GridResults
from medfl.report.questions import CHANCE, MEANINGS, bare, chance_words
from medfl.results.columns import EVERYONE
from medfl.results.runs import REFERENCE


def table_notes(
    results: GridResults,
    dataset: str,
    partitions: Sequence[str],
    means: bool,
    question: str,
    chance: bool,
) -> tuple[str, ...]:
    """The notes of a table.

    Args:
        results: the runs.
        dataset: the table's dataset.
        partitions: those in which the primary metric stands in the table; else none.
        means: whether it has means over the partitions.
        question: the question that it answers; empty for none.
        chance: whether it has the line of answers without an image.
    """
    seeds = len(results.seeds)
    cells = (
        f"mean ± sample standard deviation over {seeds} seeds (n = {seeds} unless a cell says "
        "otherwise), that is over re-runs on these patients, not over new ones"
        if seeds > 1
        else "from 1 seed"
    )
    found = [
        f"Cells: {cells}. Bold: best mean of the ranked arms, where there are two or more; "
        "an arm that diverged with any seed is not ranked."
    ]
    if results.title(dataset) != dataset:
        found.insert(0, f"Data: {results.title(dataset)}.")
    if means:
        found.append("“Mean” columns: mean over the partitions, seed by seed.")
    references = any(results.role(dataset, arm) == REFERENCE for arm in results.arms)
    if partitions:
        same = (
            " The references do the same work in the mean: `centralized` takes as many steps with "
            "`local_steps`; with `local_epochs` it sees as many samples, in fewer steps where "
            "batches of small clients are not full."
        )
        found.append(
            f"Steps: of all clients together, over all rounds.{same if references else ''}"
        )
    if _objectives_differ(results, dataset):
        found.append(
            "Not all arms minimise the same mean of the clients' losses: “objective” in "
            "summary.csv and the table of arms in report.html say what each does."
        )
    apart = len(results.questions(dataset)) > 1
    if apart and question:
        found.append(MEANINGS[question])
    if chance:
        found.append(chance_words(question if apart else EVERYONE))
    for part in partitions:
        low = results.not_above_chance(dataset, part, question)
        if low:
            verb = "is" if len(low) == 1 else "are"
            metric = bare(results.primary(dataset, question))
            found.append(
                f"REMARK, {partition_title(part)}: in {metric}, {names.join_words(low)} "
                f"{verb} not clearly above “{CHANCE}” (by more than one deviation over seeds)."
            )
    found += _absent(results, dataset)
    if any(run.shared and run.dataset == dataset for run in results.runs):
        found.append(
            "A run that partitions share (`run` in summary.csv) counts once, and has no numbers by "
            "client: it does not know whose samples are whose."
        )
    if references:
        found.append(
            "References are not ranked: all data in one place, or each client alone without others."
        )
    return tuple(found)


def target_notes(results: GridResults, dataset: str) -> list[str]:
    """Notes on rounds to a target: which one, when it was asked, and what meets it unlearned."""
    records = [run.record for run in results.runs if run.dataset == dataset and run.completed]
    said = {record.communication.target for record in records if record}
    targets = sorted(target for target in said if target is not None)
    metric = results.primary(dataset)
    unit = " %" if metric.unit == "%" else ""
    found = [
        f"Target: {' or '.join(map(metric.format, targets))}{unit} in {bare(metric)} on validation "
        "samples, asked in rounds that were evaluated; round 0 is before any training. “–”: "
        "no seed reached it. Bold only where every finished seed did."
    ]
    for part in results.partitions:
        chance = results.chance(dataset, part, metric)
        if chance and targets and targets[0] <= chance.mean:
            found.append(
                f"REMARK, {partition_title(part)}: the target is not above “{CHANCE}” "
                f"({metric.format(chance.mean)}{unit} on test samples): nothing need be learned to "
                "meet it."
            )
    return found


def _absent(results: GridResults, dataset: str) -> list[str]:
    """A note where balanced accuracy and macro means leave out a class, and which."""
    gone: dict[str, None] = {}
    for run in results.runs:
        if run.dataset == dataset and run.completed:
            for name, said in (run.test.per_class or {}).items():
                if said.get("n") == 0:
                    gone[name] = None
    if not gone:
        return []
    return [
        "Balanced accuracy and macro averages run over the classes that the test samples have; "
        f"without any in at least one split: {', '.join(gone)}."
    ]


def _objectives_differ(results: GridResults, dataset: str) -> bool:
    """Whether federated arms minimised different objectives on the same split."""
    found: dict[tuple[str, int], set[str]] = {}
    for arm in results.arms:
        if results.role(dataset, arm) != REFERENCE:
            for run in results.of(dataset, arm):
                if run.record and run.record.objective:
                    place = found.setdefault((run.partition, run.seed), set())
                    place.add(run.record.objective)
    return any(len(texts) > 1 for texts in found.values())
