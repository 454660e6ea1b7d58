"""What a run that partitions share is worth to each partition's clients.

Such a run has trained on pooled samples and knows one client. Its predictions name the samples,
and those of any other run in the partition say which client holds each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medfl.files.beside import begun_beside
from medfl.metrics.federation import fairness
from medfl.metrics.interval import Proportion, scores
from medfl.report.left_out import Arrays
from medfl.results import paths
from medfl.results.intact import check_file
from medfl.results.predictions import OWN, read_predictions
from medfl.results.runs import Run
from medfl.results.schema import ClientRecord, Fairness, Metrics, Record


def with_clients(runs: Sequence[Run]) -> list[Run]:
    """Give runs that stand in several partitions the numbers by client of each of these.

    A run is left without them where it, or every other run of its partition and seed, did not keep
    its predictions.

    Raises:
        MedflError: for predictions that are damaged.
    """
    dealt: dict[tuple[str, str, int], list[Run]] = {}
    for run in runs:
        if run.completed and run.record and not run.shared and not run.record.pooled:
            dealt.setdefault((run.dataset, run.partition, run.seed), []).append(run)
    shared = [place for place, run in enumerate(runs) if run.shared and run.completed]
    found = list(runs)
    with begun_beside(lambda place: _with_clients(runs[place], dealt), shared) as ask:
        for place in shared:
            found[place] = ask(place)
    return found


def _with_clients(run: Run, dealt: Mapping[tuple[str, str, int], Sequence[Run]]) -> Run:
    others = dealt.get((run.dataset, run.partition, run.seed), ())
    other = next((one for one in others if _keeps(one)), None)
    if other is None or other.record is None or run.record is None or not _keeps(run):
        return run
    said, known = _last_tests(run), _last_tests(other)
    holder = dict(zip(known["sample"].tolist(), known["client"].tolist(), strict=True))
    if set(said["sample"].tolist()) != holder.keys():  # another split has been put in its place
        return run
    clients = np.array([holder[sample] for sample in said["sample"].tolist()], dtype=np.int64)
    return replace(run, record=_by_client(run.record, other.record, said, clients))


def _by_client(record: Record, other: Record, said: Arrays, clients: NDArray[np.int64]) -> Record:
    """The record with its clients and their fairness; ``other`` is of the same split."""
    right = scores(said["probabilities"], said["label"], str(said["task"]))
    patients = np.unique(said["group"], return_inverse=True)[1]
    shares: dict[str, Proportion] = {}
    unpublished = [name for name, dealt in other.clients.items() if dealt.n_test is None]
    found: dict[str, ClientRecord] = {}
    for name, dealt in other.clients.items():
        mine = clients == int(name)
        shares[name] = share = Proportion.of(right[mine], patients[mine])
        low, high = share.interval()
        test = {"n": share.n, "patients": share.patients, "accuracy": share.value}
        test |= {"accuracy_low": low, "accuracy_high": high}
        if name in unpublished:
            found[name] = ClientRecord(n_train=dealt.n_train)
            continue
        found[name] = ClientRecord(
            n_train=dealt.n_train,
            n_test=share.n,
            test_patients=share.patients,
            test=Metrics.model_validate(test),
        )
    least = record.fairness
    spread = fairness(
        shares, least.min_test_samples or 1, least.min_test_patients or 1, unpublished
    )
    for name in unpublished:
        spread["left_out"][name] = None
    return record.model_copy(
        update={
            "num_clients": other.num_clients,
            "heterogeneity": other.heterogeneity,
            "clients": found,
            "fairness": Fairness.model_validate(spread),
            "without_images": record.without_images.model_copy(
                update={"own": other.without_images.own}
            ),
        }
    )


def _keeps(run: Run) -> bool:
    return (run.folder / paths.PREDICTIONS).exists()


def _last_tests(run: Run) -> dict[str, NDArray[Any]]:
    """The predictions on test samples after the last round, by the model that each client uses."""
    if run.record:
        check_file(run.folder, paths.PREDICTIONS, run.record)
    arrays = read_predictions(run.folder / paths.PREDICTIONS)
    rows = (arrays["view"] == OWN) & (arrays["moment"] == "last") & (arrays["fold"] == "test")
    whole = ("classes", "task")
    return {name: array if name in whole else array[rows] for name, array in arrays.items()}
