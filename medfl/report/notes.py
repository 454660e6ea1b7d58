"""The notes below a table: what its cells are, and what they do not say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from medfl.partition import partition_title
from medfl.report import names
from medfl.report.grid_results import GridResults
from medfl.report.questions import CHANCE, MEANINGS, TITLES, bare, chance_words
from medfl.report.releases import release_notes
from medfl.report.remembered import remembered
from medfl.results.columns import EVERYONE
from medfl.results.runs import REFERENCE
from medfl.results.schema import Metrics, Record

MARKS = (
    "Bold: told from every other arm but those on pooled samples, in the primary metric on new "
    "patients (all pairs, Holm, p < 0.05). ≈: the arms that cannot be told from the best mean, "
    "where none stands alone. No mark: worse than the best, or no test can be made "
    "(tables/paired.csv)."
)

ATTACKED = (
    "Marks, places and claims are among the arms that nobody attacks, and for each attack among "
    "the arms that meet it."
)


def table_notes(
    results: GridResults,
    dataset: str,
    partitions: Sequence[str],
    means: bool,
    questions: Sequence[str],
    chance: bool,
) -> tuple[str, ...]:
    """The notes of a table.

    Args:
        results: the runs.
        dataset: the table's dataset.
        partitions: those in which the primary metric stands in the table; else none.
        means: whether it has means over the partitions.
        questions: those that it answers; none for what no question is asked about.
        chance: whether it has the line of answers without an image.
    """
    seeds = len(results.seeds)
    cells = (
        f"mean ± sample standard deviation over {seeds} seeds (n = {seeds} unless a cell says "
        "otherwise)"
        if seeds > 1
        else "from 1 seed"
    )
    found = [f"Cells: {cells}."]
    if partitions:
        found += [MARKS, ATTACKED] if results.attacks else [MARKS]
    if results.title(dataset) != dataset:
        found.insert(0, f"Data: {results.title(dataset)}.")
    if means:
        found.append("“Mean” columns: mean over the partitions, seed by seed.")
    references = any(results.role(dataset, arm) == REFERENCE for arm in results.arms)
    if partitions:
        same = (
            " `local` does the work of the federation in the mean. `centralized` takes as many "
            "steps with `local_steps`. With `local_epochs` it makes rounds × local_epochs passes "
            "over all samples: where all clients take part it sees as many as they do, in fewer "
            "steps if batches of small clients are not full; where C of N are sampled it sees N/C "
            "times as many."
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
    if apart:
        found += [MEANINGS[question] for question in questions]
    if chance:
        found.append(chance_words(questions if apart else [EVERYONE]))
    for part, question in product(partitions, questions):
        low = results.not_above_chance(dataset, part, question)
        if low:
            verb = "is" if len(low) == 1 else "are"
            metric = bare(results.primary(dataset, question))
            whose = f", {TITLES[question]}" if len(questions) > 1 else ""
            found.append(
                f"REMARK, {partition_title(part)}{whose}: in {metric}, {names.join_words(low)} "
                f"{verb} not clearly above “{CHANCE}” (by more than one deviation over seeds)."
            )
    if any(run.dataset == dataset for run in results.refused):
        found.append(
            "REMARK: “refused” counts updates of clients that were NaN or infinite and were left "
            "out of their rounds: the model has learned less from these clients, if anything."
        )
    found += _absent(results, dataset)
    if partitions:
        found += release_notes(results, dataset)
    if any(run.shared and run.dataset == dataset for run in results.runs):
        found.append(
            "A run that partitions share (`run` in summary.csv) counts once. Its numbers by client "
            "come from its predictions; without these it has none."
        )
    if references:
        found.append(
            "References are not ranked: all data in one place, or each client alone without others."
        )
    return tuple(found)


@remembered
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
        "no seed reached it."
    ]
    for part in results.partitions_of(dataset):
        chance = results.chance(dataset, part, metric)
        if chance and targets and targets[0] <= chance.mean:
            found.append(
                f"REMARK, {partition_title(part)}: the target is not above “{CHANCE}” "
                f"({metric.format(chance.mean)}{unit} on test samples): nothing need be learned to "
                "meet it."
            )
    return found


@remembered
def _absent(results: GridResults, dataset: str) -> list[str]:
    """Notes on classes without samples in a fold of some split: what the means do, and which."""
    tests: dict[str, None] = {}
    validations: dict[str, None] = {}
    trainings: dict[str, None] = {}
    for run in results.runs:
        if run.dataset == dataset and run.completed and run.record:
            tests |= _empty(run.test)
            judged = run.record.last and run.record.last.val
            validations |= _empty(judged or Metrics())
            trainings |= _not_trained(run.record) if run.test.per_class else {}
    found = []
    if tests:
        found.append(
            "Balanced accuracy and macro averages run over the classes that the test samples have; "
            f"without any in at least one split: {', '.join(tests)}."
        )
    if validations:
        found.append(
            "Best round and rounds to the target go by the classes that the validation samples "
            f"have; without any in at least one split: {', '.join(validations)}."
        )
    never = [name for name in trainings if name not in tests]
    if never:
        found.append(
            f"REMARK: {', '.join(never)} has test samples, but in at least one split no training "
            "sample, so no arm can learn it, and balanced accuracy and macro averages count it."
            if len(never) == 1
            else f"REMARK: {', '.join(never)} have test samples, but in at least one split no "
            "training sample, so no arm can learn them, and balanced accuracy and macro averages "
            "count them."
        )
    return found


def _empty(metrics: Metrics) -> dict[str, None]:
    """The classes of which these metrics' fold has no sample."""
    return {name: None for name, said in (metrics.per_class or {}).items() if said.get("n") == 0}


def _not_trained(record: Record) -> dict[str, None]:
    """The classes of which a split has no training sample, as its measured clients say."""
    counts: dict[str, int] = {}
    for client in record.heterogeneity.get("clients") or []:
        for name, count in (client.get("classes") or {}).items():
            # A count that is not published is not 0.
            counts[name] = counts.get(name, 0) + (1 if count is None else count)
    return {name: None for name, count in counts.items() if count == 0}


@remembered
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
