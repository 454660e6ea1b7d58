"""``predictions.npz``: the probabilities of a run's models for every validation and test sample.

From it any metric, interval or bootstrap can be made later, without training. The arrays have one
row per prediction:

=============  ===========  ======================================================================
view           str          ``own``: by the model that the sample's client would use;
                            ``everyone``: by a model that is judged on everyone's samples
owner          int32        the client whose model it is; -1 for the server's, and for what is used
                            by a hospital that took no part in training
moment         str          ``last`` (after the last round) or ``best`` (best on validation)
fold           str          ``val`` or ``test``
sample, group  str          the sample and its patient or lesion, as the store names them
client         int32        the client that holds the sample
label          int32        the class; (rows, classes) of 0 and 1 where a sample may have several
probabilities  float32      (rows, classes)
=============  ===========  ======================================================================

Beside them stand ``classes``, the names of the classes, and ``task``. The rows of one view, owner
and moment follow one another, sorted by client and fold. The view ``own`` has each sample once in
each moment. The view ``everyone`` is there where clients use models of their own, for the test
samples and after the last round: by the server's model where it is complete, else by each client's.
Where all clients use the server's model, ``own`` answers both questions.

A run that finished has three arrays more, by which a report speaks of other patients
(``medfl.metrics.jackknife.left_out``); older files lack them:

===================  =======  ===============================================================
patients             str      (P,) those of the test samples
left_out_own         float32  (M, P) each metric without that patient, minus the mean of that;
                              M metrics: accuracy, balanced accuracy, macro AUC, macro F1, kappa
left_out_everyone    float32  the same for everyone; (0, P) where ``own`` answers that
===================  =======  ===============================================================
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medfl.errors import MedflError, Reason, failure
from medfl.files import atomic_path
from medfl.files.arrays import read_arrays

OWN, OF_ALL = "own", "everyone"
ALL = -1  # the owner of the server's model
SAMPLE_COLUMNS = ("fold", "sample", "group", "client", "label")
ARRAYS = ("view", "owner", "moment", *SAMPLE_COLUMNS, "probabilities")
LEFT_OUT = ("patients", "left_out_own", "left_out_everyone")
# Name of an array → NumPy's letters of the kinds that it may have, and its dimensions.
_Kinds = Mapping[str, tuple[str, tuple[int, ...]]]
_TEXT, _WHOLE, _REAL = "U", "iu", "f"
_KINDS: _Kinds = {
    **dict.fromkeys(("view", "moment", "fold", "sample", "group", "classes"), (_TEXT, (1,))),
    **dict.fromkeys(("owner", "client"), (_WHOLE, (1,))),
    "label": (_WHOLE, (1, 2)),
    "probabilities": (_REAL, (2,)),
    "task": (_TEXT, (0,)),
}
_LEFT_OUT_KINDS: _Kinds = {"patients": (_TEXT, (1,))} | dict.fromkeys(LEFT_OUT[1:], (_REAL, (2,)))


@dataclass(frozen=True)
class ModelPredictions:
    """The predictions of one model at one moment.

    Attributes:
        view: ``own``: on the samples of the clients who use it; ``everyone``: on all clients'.
        owner: the client whose model it is, or ``ALL``: the server's, or none's alone.
        moment: ``last`` or ``best``.
        rows: (n,) which of the evaluated samples it judged.
        probabilities: (n, K) its probabilities for them.
    """

    view: str
    owner: int
    moment: str
    rows: NDArray[np.int64]
    probabilities: NDArray[Any]


def write_predictions(
    path: str | os.PathLike[str],
    samples: Mapping[str, NDArray[Any]],
    predicted: Sequence[ModelPredictions],
    classes: Sequence[str],
    task: str,
    left_out: Mapping[str, NDArray[Any]] | None = None,
    durable: bool = False,
) -> int:
    """Write the file, atomically; equal predictions give equal bytes.

    Args:
        path: the file to write.
        samples: the evaluated samples, each once: ``SAMPLE_COLUMNS``, each of (S, …).
        predicted: the predictions of each model.
        classes: the names of the K classes.
        task: ``multiclass`` or ``multilabel``.
        left_out: the arrays of ``LEFT_OUT``; None for a run that did not finish.
        durable: as in ``atomic_path``.

    Returns:
        The number of rows.
    """
    # The arrays are made one by one: names of samples take many times the space of probabilities.
    with (
        atomic_path(path, durable=durable) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
    ):
        arrays = _arrays(samples, predicted, classes, task)
        for name, array in chain(arrays, (left_out or {}).items()):
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return sum(len(one.rows) for one in predicted)


def _arrays(
    samples: Mapping[str, NDArray[Any]],
    predicted: Sequence[ModelPredictions],
    classes: Sequence[str],
    task: str,
) -> Iterator[tuple[str, NDArray[Any]]]:
    lengths = [len(one.rows) for one in predicted]
    rows = np.concatenate([np.zeros(0, np.int64), *(one.rows for one in predicted)])
    yield "view", np.repeat(np.array([one.view for one in predicted], "U8"), lengths)
    yield "owner", np.repeat(np.array([one.owner for one in predicted], np.int32), lengths)
    yield "moment", np.repeat(np.array([one.moment for one in predicted], "U4"), lengths)
    for name in SAMPLE_COLUMNS:
        values = samples[name][rows]
        yield name, values.astype(np.int32) if name in ("client", "label") else values
    nothing = np.zeros((0, len(classes)), np.float32)
    parts = (one.probabilities.astype(np.float32) for one in predicted)
    yield "probabilities", np.concatenate([nothing, *parts])
    yield "classes", np.array(classes, np.str_)
    yield "task", np.array(task)


def _check_kinds(arrays: Mapping[str, NDArray[Any]], kinds: _Kinds) -> None:
    """Refuse arrays of other kinds or dimensions than are written (``Reason``)."""
    for name, (letters, dimensions) in kinds.items():
        if arrays[name].dtype.kind not in letters or arrays[name].ndim not in dimensions:
            raise Reason(f"`{name}` in it is not what it must be")


def _check_classes(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Refuse labels and probabilities that are not of the file's classes (``Reason``)."""
    labels, shape = arrays["label"], (len(arrays["view"]), len(arrays["classes"]))
    if arrays["probabilities"].shape != shape or labels.shape not in (shape, shape[:1]):
        raise Reason("its labels and probabilities are not of its classes")
    limit = 2 if labels.ndim == 2 else shape[1]
    if labels.size and not (labels.min() >= 0 and labels.max() < limit):
        raise Reason(
            f"its labels lie in {labels.min()} to {labels.max()}, outside 0 to {limit - 1}"
        )


def read_predictions(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays of ``predictions.npz`` by name.

    Raises:
        MedflError: where the file is missing or damaged.
    """
    arrays = _read(path, (*ARRAYS, "classes", "task"))
    try:
        _check_kinds(arrays, _KINDS)
        if len({len(arrays[name]) for name in ARRAYS}) > 1:
            raise Reason("its arrays have different lengths")
        _check_classes(arrays)
    except ValueError as error:
        raise _unreadable(path, error) from error
    return arrays


def read_left_out(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]] | None:
    """The arrays of ``LEFT_OUT`` alone; None where the file is of before they were kept.

    Raises:
        MedflError: as ``read_predictions``.
    """
    arrays = _read(path, LEFT_OUT, optional=True)
    if not arrays:
        return None
    try:
        _check_kinds(arrays, _LEFT_OUT_KINDS)
        if {arrays[name].shape[1] for name in LEFT_OUT[1:]} != {len(arrays["patients"])}:
            raise Reason("its arrays have different lengths")
    except ValueError as error:
        raise _unreadable(path, error) from error
    return arrays


def _read(
    path: str | os.PathLike[str], names: Sequence[str], optional: bool = False
) -> dict[str, NDArray[Any]]:
    """Some arrays of the file; none where one is missing that is ``optional``."""
    path = Path(path)
    if not path.exists():
        raise MedflError(
            f"{path} does not exist: the run did not keep its predictions (`keep.predictions`), "
            "or they were not brought along with its record."
        )
    try:
        arrays = read_arrays(path, names)
        if arrays.keys() != set(names):
            if optional:
                return {}
            raise Reason("a part of it is missing")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return arrays


def _unreadable(path: str | os.PathLike[str], error: Exception) -> MedflError:
    return MedflError(f"{path} cannot be read ({failure(error)}): train this run again.")
