"""A run's record and tables without the numbers that are about few people.

Metrics over all samples of a fold stay: they are what a run is made for. What stands beside them
by class and in the confusion matrix goes where it counts few samples. Where all tests are of few
people at hospitals never seen, they are metrics of a hospital, and go as those of a client do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medfl.disclosure.cells import hide_in_table, is_small, shown
from medfl.disclosure.split import FOLD_ORDER, HiddenCells, published

PLACE = ("round", "client", "fold")  # what names a row of clients.csv
OF_TRAINING = ("train_samples", "steps")  # whole batches tell how many samples there are
OF_ROUND = ("steps", "gradients")
THRESHOLDED = ("sensitivity", "specificity", "precision", "f1")
# Columns of rounds.csv that are about test samples begin so.
OF_TESTS = ("test_", "everyone_", "worst_client_", "backdoor_success")
# The three sets of predictions of a moment, and on which fold they are.
JUDGED = {"val": "val", "test": "test", "everyone": "test"}

Content = dict[str, Any]


def record_to_publish(record: Mapping[str, Any], hidden: HiddenCells, equal_steps: bool) -> Content:
    """The content of ``metrics.json`` without hidden numbers; ``minimum_cell`` says that.

    Args:
        record: all of it.
        hidden: the split's hidden cells.
        equal_steps: the configuration sets the steps of all clients, so that they tell nothing.
    """
    content = {**record, "minimum_cell": hidden.minimum}
    for name in ("last", "best"):
        if record.get(name):
            content[name] = _moment(record[name], hidden)
    if hidden.trained and not equal_steps:
        content["steps"] = None
    content["without_images"] = {
        name: found and _without_images(name, found, hidden)
        for name, found in record.get("without_images", {}).items()
    }
    content["clients"] = {
        client: _client(found, hidden, int(client)) for client, found in record["clients"].items()
    }
    fairness = dict(record.get("fairness", {}))
    if fairness.get("left_out"):
        fairness["left_out"] = {
            client: None if client in hidden.untested else samples
            for client, samples in fairness["left_out"].items()
        }
    content["fairness"] = fairness
    content["heterogeneity"] = published(record.get("heterogeneity", {}), hidden)
    if hidden.tests and record.get("robustness"):
        content["robustness"] = {
            name: None if name.startswith(OF_TESTS) else value
            for name, value in record["robustness"].items()
        }
    origin = dict(record.get("provenance", {}))
    if origin.get("split_left_out"):
        origin["split_left_out"] = shown(origin["split_left_out"], hidden.minimum)
    content["provenance"] = origin
    return content


def row_to_publish(
    row: Mapping[str, Any], hidden: HiddenCells, measured: frozenset[str]
) -> Content:
    """A row of ``clients.csv`` without hidden numbers.

    Args:
        row: the row.
        hidden: the split's hidden cells.
        measured: the columns that are about the client's samples; those of links stay.
    """
    client = int(row["client"])
    gone = {*OF_TRAINING} if hidden.client(client, "train") else set()
    if hidden.client(client, row["fold"]):
        gone |= measured - {*PLACE, *OF_TRAINING}
    return {name: None if name in gone else value for name, value in row.items()}


def round_to_publish(row: Mapping[str, Any], hidden: HiddenCells, equal_steps: bool) -> Content:
    """A row of ``rounds.csv`` without the work of clients whose size is hidden, or hidden tests.

    Who takes part in a round follows from the seed, so the steps of several rounds give those of
    each client. Gradients that are not the steps' are of passes over all samples.
    """
    same = equal_steps and str(row.get("gradients")) == str(row.get("steps"))
    gone = () if same or not hidden.trained else OF_ROUND[equal_steps:]
    return {
        name: None if name in gone or (hidden.tests and name.startswith(OF_TESTS)) else value
        for name, value in row.items()
    }


def metrics_to_publish(metrics: Mapping[str, Any], hidden: HiddenCells, fold: str) -> Content:
    """The metrics of all samples of a fold, without what tells of few of them.

    Cells of the confusion matrix that lie off its diagonal are hidden by rectangles of such cells.
    So the diagonal and all totals stay, on which all other metrics depend, and these give nothing
    away. Where a small cell cannot be hidden so, or is about a class's right, missed or wrongly
    named samples, the whole matrix goes, and so do the shares by class that it gives.
    """
    content = _total(metrics, hidden, fold)
    classes = metrics.get("per_class")
    if not classes:
        return content
    gone = hidden.classes[:, FOLD_ORDER.index(fold)]
    whole = bool(gone.any()) or content["n"] is None or _few_of_a_class(metrics, hidden.minimum)
    if metrics.get("confusion") is not None and not whole:
        matrix = np.array(metrics["confusion"], dtype=np.float64)
        mask = hide_in_table(matrix, hidden.minimum, kept=np.eye(len(matrix), dtype=bool))
        whole = bool(mask.all())
        content["confusion"] = [
            [None if out else count for count, out in zip(*pair, strict=True)]
            for pair in zip(metrics["confusion"], mask, strict=True)
        ]
    if whole and "confusion" in metrics:
        content["confusion"] = None
    content["per_class"] = {
        name: {
            key: None if out or (whole and key in THRESHOLDED) else value
            for key, value in found.items()
        }
        for (name, found), out in zip(classes.items(), gone, strict=True)
    }
    if content["n"] is None:
        content["per_class"] = {k: {**v, "n": None} for k, v in content["per_class"].items()}
    if content.get("undefined"):
        # "never predicted" is a sensitivity of 0.
        remarks = tuple(
            f"{name}: {'' if out else 'precision'}"
            for name, out in zip(classes, gone, strict=True)
            if out or whole
        )
        content["undefined"] = [
            words for words in content["undefined"] if not words.startswith(remarks)
        ]
    return content


def _few_of_a_class(metrics: Mapping[str, Any], minimum: int) -> bool:
    """Whether few samples of a class are right, or missed, or few others are taken for it."""
    for found in metrics["per_class"].values():
        count, hit, spared = (found.get(key) for key in ("n", "sensitivity", "specificity"))
        counts = []
        if count and hit is not None:
            counts += [hit * count, (1 - hit) * count]
        if count is not None and spared is not None:
            counts.append((1 - spared) * (metrics["n"] - count))
        if is_small(np.round(counts, 6), minimum).any():
            return True
    return False


def _without_images(name: str, found: Mapping[str, Any], hidden: HiddenCells) -> Content:
    """What the shares of classes are worth as an answer, which counts alone decide.

    Of each client's own shares they are the counts of all tables. Everyone's one answer is the
    class that most training samples have, and only its log loss tells of their shares.
    """
    content = _total(found, hidden, "test")
    tests = bool(hidden.classes[:, FOLD_ORDER.index("test")].any())
    if hidden.tests:
        gone = {*content}
    elif name == "everyone":
        gone = {"accuracy", "f1_macro", "log_loss"} if tests else set()
        gone |= {"log_loss"} if hidden.classes[:, FOLD_ORDER.index("train")].any() else set()
    else:
        some = any(one.any() for one in (hidden.sizes, hidden.labels, hidden.classes))
        gone = {*content} - {"n"} if some else set()
    return {key: None if key in gone else value for key, value in content.items()}


def _total(metrics: Mapping[str, Any], hidden: HiddenCells, fold: str) -> Content:
    gone = bool(hidden.folds[FOLD_ORDER.index(fold)])
    return {**metrics, "n": None} if gone and "n" in metrics else dict(metrics)


def _moment(moment: Mapping[str, Any], hidden: HiddenCells) -> Content:
    content = dict(moment)
    for name, fold in JUDGED.items():
        if content.get(name) and hidden.tests and fold == "test":
            content[name] = dict.fromkeys(content[name])
        elif content.get(name):
            content[name] = metrics_to_publish(content[name], hidden, fold)
    return content


def _client(found: Mapping[str, Any], hidden: HiddenCells, client: int) -> Content:
    gone: set[str] = set()
    if hidden.client(client, "train"):
        gone |= {"n_train", "steps"}
    if hidden.client(client, "test"):
        gone |= {"n_test", "test_patients", "test"}
    return {name: _blank(value) if name in gone else value for name, value in found.items()}


def _blank(value: Any) -> Any:
    """None for each number, as where a client has no samples."""
    return {key: _blank(one) for key, one in value.items()} if isinstance(value, dict) else None
