"""The record of a run, ``metrics.json``: the engine writes it and the report reads it by this.

Unknown keys are kept, because a newer medfl may have written more. Whoever changes the schema so
that older records no longer fit raises ``SCHEMA`` and adds a step to ``migrate.py``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from medfl.results.columns import COLUMNS
from medfl.results.parts import MeasuredPart, OriginPart, of_form

SCHEMA = 3
COMPLETED, DIVERGED = "completed", "diverged"


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)


class Metrics(_Part):
    """Metrics of one set of samples, by ``medfl.metrics.medical``; None where undefined.

    A client's have the number of patients, too, and the interval of its accuracy over them.
    """

    n: int | None = None
    patients: int | None = None
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
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
    confusion: list[list[int | float | None]] | None = None


class Moment(_Part):
    """How good the models were after one round.

    Attributes:
        round: the round's number.
        val: metrics on all clients' validation samples, each judged by the model that its client
            would use.
        test: the same on all clients' test samples: what each hospital has, on its own patients.
        everyone: metrics of one model on all clients' test samples; where there is none, the means
            over the clients' models, each on all of these samples. None where it was not measured.
    """

    round: int | None = None
    val: Metrics | None = None
    test: Metrics | None = None
    everyone: Metrics | None = None


class WithoutImages(_Part):
    """Test metrics of answers that look at no image, but know the shares of classes in training.

    Attributes:
        own: each client's samples are answered by the shares among its own training samples.
        everyone: all samples are answered by the shares among all clients' training samples.
    """

    own: Metrics | None = None
    everyone: Metrics | None = None


class Normalization(_Part):
    """What was taken off pixel / full range, and what it was divided by: one of each a channel."""

    mean: list[float] = Field(default_factory=list)
    std: list[float] = Field(default_factory=list)


class ClientRecord(_Part):
    """One client's size, steps and test metrics, with the model that it would use."""

    n_train: int | None = None
    n_test: int | None = None
    test_patients: int | None = None
    steps: int | None = None
    test: Metrics | None = None


class Fairness(_Part):
    """How test accuracy differs between the clients (``medfl.metrics.federation.fairness``).

    Attributes:
        left_out: client → test samples, of those with too few to take part; None where that number
            is not published.
        reason: why there are no numbers, in words.
    """

    metric: str | None = None
    min_test_samples: int | None = None
    min_test_patients: int | None = None
    mean: float | None = None
    std: float | None = None
    worst: float | None = None
    worst_client: str | None = None
    worst_n_test: int | None = None
    worst_patients: int | None = None
    worst_low: float | None = None
    worst_high: float | None = None
    best: float | None = None
    jain: float | None = None
    n: int | None = None
    left_out: dict[str, int | None] | None = None
    reason: str | None = None

    @property
    def too_few(self) -> str | None:
        """The numbers of the clients that were left out, such as ``3, 7``."""
        return None if self.left_out is None else ", ".join(self.left_out)


class Communication(_Part):
    """The bytes that were sent, in all rounds and by all clients."""

    bytes_up: int | None = None
    bytes_down: int | None = None
    bytes_per_round: int | None = None
    target: float | None = None
    rounds_to_target: int | None = None
    bytes_to_target: int | None = None

    @property
    def megabytes(self) -> float | None:
        """Up and down together, in 10⁶ bytes."""
        return None if self.bytes_up is None else (self.bytes_up + (self.bytes_down or 0)) / 1e6


class PrivacyRecord(_Part):
    """What protected the updates, and how well.

    Attributes:
        mechanism: its name; ``none`` where nothing was promised.
        unit: what one ε protects: an image, a patient (by the store's own word) or a hospital.
        epsilon: the largest over the clients, after the last round.
        delta: the δ with which it holds.
    """

    mechanism: str | None = None
    unit: str | None = None
    epsilon: float | None = None
    delta: float | None = None


class RobustnessRecord(_Part):
    """Who attacked, how, and which rule combined the updates.

    Attributes:
        attackers: f, how many clients attacked.
        share: f/n, of all clients.
        clients: which.
        attack: the link by which they did; None where nobody did.
        strength: what the attack made of n and f, as ALIE's z; None of attacks that do not.
        rule: how updates were combined.
        expected_attackers: f of the rule, how many it expects; None of one that expects none.
        pre_aggregation: what was done to them before.
        root_patients: how many patients of the training fold the server trained on itself.
        backdoor_success: the share of marked test images that the model took for the target.
    """

    attackers: int | None = None
    share: float | None = None
    clients: list[int] = Field(default_factory=list)
    attack: str | None = None
    strength: float | None = None
    rule: str | None = None
    expected_attackers: int | None = None
    pre_aggregation: str | None = None
    root_patients: int | None = None
    backdoor_success: float | None = None


class Timing(_Part):
    """How long the run trained; what the process took that ended it: seconds and bytes."""

    seconds: float | None = None
    seconds_per_round: float | None = None
    processor_seconds: float | None = None
    peak_memory: int | None = None


class Predictions(_Part):
    """What ``predictions.npz`` holds; its size in bytes."""

    rows: int
    size: int


class Record(_Part):
    """All results of a finished run.

    Attributes:
        schema_number: the form of this record, ``schema`` in the file.
        evaluated: which model a client would use: the server's (``global``), or its own, from a
            federation (``personal``) or from its own training alone (``local``).
        everyone_by: whose model answers for everyone: the ``server``'s, or, as it has none, all
            ``clients``' in the mean.
        unseen_by: by what a hospital is judged that took no part in training
            (``medfl.federated.unseen``); None where there is none.
        pooled: whether one client trained on all samples; such an arm is a reference.
        primary: the metric that ranks arms, chose the best round and has the target.
        statistics: what happened to the batch-norm statistics, in words.
        objective: what the arm minimises with its settings, in words; None in older records.
        work: how much is trained in a round, in words; None in older records.
        extra_work: what each client trains beside that, in words; None where it is nothing, and in
            older records.
        last: the model after the last round; None where a run diverged before any evaluation.
        best: the models after the round with the best primary metric on validation.
        clients: by the client's number.
        refused: client → the rounds in which its update was not finite, so that it was left out;
            empty where there were none.
        predictions: None where the run did not keep them.
        minimum_cell: the smallest count of samples or patients that the run's files publish; None
            where they publish all.
        chain: what the links of the update chain say of themselves, by name.
        robustness: attackers and robust rules; None where nobody attacks a plain sum.
        files: the SHA-256 of the run's tables, model and predictions, by name; empty in older
            records.
        record_sha256: the SHA-256 of all the rest (``medfl.files.own_hash``); None in older
            records.
        heterogeneity: how different the clients are, by the split's own measurement.
        provenance: code, versions, machine, and the hashes of what went in; ``stretches`` says
            which rounds were computed by which device, PyTorch and number of threads, and how many
            clients trained side by side; ``tuning`` what was searched for a tuned run's values.
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
    everyone_by: str | None = None
    unseen_by: str | None = None
    pooled: bool | None = None
    primary: str | None = None
    statistics: str | None = None
    objective: str | None = None
    work: str | None = None
    extra_work: str | None = None
    rounds: int | None = None
    steps: int | None = None
    num_clients: int | None = None
    model: str | None = None
    parameters: int | None = None
    normalization: Normalization | None = None
    last: Moment | None = None
    best: Moment | None = None
    without_images: WithoutImages = WithoutImages()
    clients: dict[str, ClientRecord] = Field(default_factory=dict)
    refused: dict[str, list[int]] = Field(default_factory=dict)
    fairness: Fairness = Fairness()
    communication: Communication = Communication()
    chain: dict[str, dict[str, Any]] = Field(default_factory=dict)
    robustness: RobustnessRecord | None = None
    privacy: PrivacyRecord = PrivacyRecord()
    timing: Timing = Timing()
    predictions: Predictions | None = None
    minimum_cell: int | None = None
    files: dict[str, str] = Field(default_factory=dict)
    heterogeneity: Annotated[dict[str, Any], AfterValidator(of_form(MeasuredPart))] = Field(
        default_factory=dict
    )
    provenance: Annotated[dict[str, Any], AfterValidator(of_form(OriginPart))] = Field(
        default_factory=dict
    )
    record_sha256: str | None = None

    @field_validator("primary")
    @classmethod
    def _is_a_metric(cls, value: str | None) -> str | None:
        if value is not None and value not in {column.metric for column in COLUMNS}:
            raise ValueError("it is no metric")
        return value

    @property
    def test(self) -> Metrics:
        """Each client's test samples by the model that it would use, after the last round.

        It is empty where there are no such metrics, as is each of the next.
        """
        return (self.last and self.last.test) or Metrics()

    @property
    def val(self) -> Metrics:
        """As ``test``, on validation samples: by these, and no others, settings are chosen."""
        return (self.last and self.last.val) or Metrics()

    @property
    def everyone(self) -> Metrics:
        """Everyone's test samples by one model, or by each client's in the mean."""
        return (self.last and self.last.everyone) or Metrics()

    @property
    def best_test(self) -> Metrics:
        """As ``test``, after the round that was best on validation."""
        return (self.best and self.best.test) or Metrics()

    @property
    def refused_updates(self) -> int:
        """How many updates were not finite and were left out."""
        return sum(map(len, self.refused.values()))

    @property
    def chance_own(self) -> float | None:
        """The primary metric of answers by each client's own shares of classes."""
        return getattr(self.without_images.own or Metrics(), self.primary or "", None)

    @property
    def chance_everyone(self) -> float | None:
        """The primary metric of one answer by the shares of classes in all training samples."""
        return getattr(self.without_images.everyone or Metrics(), self.primary or "", None)
