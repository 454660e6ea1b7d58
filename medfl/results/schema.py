"""The record of a run, ``metrics.json``: the engine writes it and the report reads it by this.

Unknown keys are kept, because a newer medfl may have written more. Whoever changes the schema so
that older records no longer fit raises ``SCHEMA`` and adds a step to ``migrate.py``.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = 2
COMPLETED, DIVERGED = "completed", "diverged"


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)


class Metrics(_Part):
    """Metrics of one set of samples, by ``medfl.metrics.medical``; None where undefined."""

    n: int | None = None
    accuracy: float | None = None
    subset_accuracy: float | None = None
    balanced_accuracy: float | None = None
    auc_macro: float | None = None
    sensitivity_macro: float | None = None
    specificity_macro: float | None = None
    precision_macro: float | None = None
    f1_macro: float | None = None
    kappa: float | None = None
    ece: float | None = None
    log_loss: float | None = None
    averaged_over: dict[str, int | float] | None = None
    per_class: dict[str, dict[str, int | float | None]] | None = None
    undefined: list[str] | None = None
    confusion: list[list[int | float]] | None = None


class Moment(_Part):
    """How good the model was after one round.

    Attributes:
        round: the round's number.
        val: metrics on all clients' validation samples.
        test: metrics on all clients' test samples.
        personal: metrics on the same test samples, each predicted by the model that its client
            would use.
    """

    round: int | None = None
    val: Metrics | None = None
    test: Metrics | None = None
    personal: Metrics | None = None


class Client(_Part):
    """One client's size, steps and test metrics, with the model that it would use."""

    n_train: int | None = None
    n_test: int | None = None
    steps: int | None = None
    test: Metrics | None = None


class Fairness(_Part):
    """How test accuracy differs between the clients (``medfl.metrics.federation.fairness``)."""

    mean: float | None = None
    std: float | None = None
    worst: float | None = None
    worst_client: str | None = None
    best: float | None = None
    jain: float | None = None
    n: int | None = None
    undefined: list[str] | None = None


class Communication(_Part):
    """The bytes that were sent, in all rounds and by all clients."""

    bytes_up: int | None = None
    bytes_down: int | None = None
    bytes_per_round: int | None = None
    target_accuracy: float | None = None
    rounds_to_target: int | None = None
    bytes_to_target: int | None = None

    @property
    def megabytes(self) -> float | None:
        """Up and down together, in 10⁶ bytes."""
        return None if self.bytes_up is None else (self.bytes_up + (self.bytes_down or 0)) / 1e6


class Privacy(_Part):
    """What protected the updates, and how well."""

    mechanism: str | None = None
    epsilon: float | None = None
    delta: float | None = None


class Timing(_Part):
    """How long the run trained."""

    seconds: float | None = None
    seconds_per_round: float | None = None


class Predictions(_Part):
    """What ``predictions.npz`` holds; its size in bytes."""

    rows: int
    size: int


class Record(_Part):
    """All results of a finished run.

    Attributes:
        schema_number: the form of this record, ``schema`` in the file.
        evaluated: which models were judged: one for everyone (``global``), each client's own on
            its own samples (``personal``), or each client's own on everyone's (``local``).
        statistics: what happened to the batch-norm statistics, in words.
        objective: what the arm minimises with its settings, in words; None in older records.
        last: the model after the last round; None where a run diverged before any evaluation.
        best: the model after the round with the best balanced accuracy on validation.
        clients: by the client's number.
        predictions: None where the run did not keep them.
        heterogeneity: how different the clients are, by the split's own measurement.
        provenance: code, versions, machine, and the hashes of what went in.
    """

    schema_number: int = Field(SCHEMA, alias="schema")
    dataset: str
    dataset_title: str | None = None
    partition: str
    arm: str
    algorithm: str | None = None
    seed: int
    status: Literal["completed", "diverged"]
    reason: str | None = None
    evaluated: str | None = None
    statistics: str | None = None
    objective: str | None = None
    rounds: int | None = None
    steps: int | None = None
    num_clients: int | None = None
    model: str | None = None
    parameters: int | None = None
    last: Moment | None = None
    best: Moment | None = None
    clients: dict[str, Client] = Field(default_factory=dict)
    fairness: Fairness = Fairness()
    communication: Communication = Communication()
    privacy: Privacy = Privacy()
    timing: Timing = Timing()
    predictions: Predictions | None = None
    heterogeneity: dict[str, Any] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)

    @property
    def test(self) -> Metrics:
        """The metrics on all clients' test samples after the last round; empty if there are none.

        Where an arm trains personal models, every sample is judged by the model of the client that
        holds it; these are the same samples on which a global model is judged.
        """
        return self._judged(self.last)

    @property
    def best_test(self) -> Metrics:
        """The same after the round that was best on validation."""
        return self._judged(self.best)

    def _judged(self, moment: Moment | None) -> Metrics:
        moment = moment or Moment()
        first, second = moment.test, moment.personal
        if self.evaluated == "personal":
            first, second = second, first
        return next(
            (found for found in (first, second) if found and found.model_fields_set), Metrics()
        )
