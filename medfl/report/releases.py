"""What a report says of numbers that no accountant of privacy saw, and of those it holds back."""

from __future__ import annotations

from medfl.report.grid_results import GridResults
from medfl.report.names import join_words
from medfl.report.remembered import remembered

RELEASES = (
    "Releases that no accountant saw: what was chosen by looking at these data (hyper-parameters, "
    "clipping norms, the best round), and metrics on validation and test patients, above all those "
    "of single clients. An ε is of the training alone."
)


@remembered
def release_notes(results: GridResults, dataset: str) -> list[str]:
    """Notes on people's own data and on runs with an ε; none where there is neither."""
    records = [run.record for run in results.runs if run.dataset == dataset and run.record]
    minima = sorted({record.minimum_cell for record in records if record.minimum_cell})
    found = []
    if minima or any(record.privacy.mechanism not in (None, "none") for record in records):
        found.append(RELEASES)
    if minima:
        found.append(
            f"Not published: counts of fewer than {join_words([str(one) for one in minima])} "
            "samples or patients, metrics of a client or a class on so few, and those that would "
            "restore them by subtraction; such clients take no part in worst client, spread and "
            "Jain's index. Metrics over all samples of a fold are published whatever they count, "
            "but where all tests are of hospitals never seen, and few."
        )
    return found
