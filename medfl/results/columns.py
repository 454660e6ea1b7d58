"""The registry of columns: every number and word that a run or a grid writes into a table.

A new column is one more entry here, at its place in the tables. One quantity is one column, in
whichever files it stands. The bytes of a round and those of a whole run are two quantities.
"""

from __future__ import annotations

from collections.abc import Iterable

from medfl.errors import MedflError
from medfl.results import paths
from medfl.results.column import Column as Column  # named here by links of people's own

# Where a column may stand.
ROUNDS, CLIENTS, SUMMARY = paths.ROUNDS, paths.CLIENTS, paths.SUMMARY
TABLES = paths.TABLES  # a table of its own, in tables/ and in the report
MAIN = paths.COMPARISON  # the main table, beside the accuracy in each partition
CURVES = paths.CONVERGENCE  # the mean over seeds, round by round


def _named_alike(name: str, kind: type = str) -> Column:
    """A column of the summary that a record has under the same name."""
    return Column(name, files=(SUMMARY,), kind=kind, source=name)


# The two questions that every arm answers. OWN: what has each hospital, on its own patients? Each
# client's test samples are judged by the model that it would use. EVERYONE: what is a model worth
# on everyone's? One model judges all test samples; where there is none, each client's does, and
# the mean over clients counts. Where all clients use one model, both are the same.
OWN, EVERYONE = "own", "everyone"


def _judged(metric: str, title: str, short: str, *files: str) -> tuple[Column, Column]:
    """A metric of test samples, of which more is better: for each question a column."""
    unit = "%" if "(%)" in title else ""
    both = {"metric": metric, "short": short, "direction": "higher", "unit": unit}
    own = Column(
        *(f"test_{metric}", title),
        files=(ROUNDS, SUMMARY, TABLES, CURVES, *files),
        source=f"test.{metric}",
        dvc=metric if files else "",
        question=OWN,
        **both,  # type: ignore[arg-type]
    )
    everyone = Column(
        *(f"everyone_{metric}", f"{title} for everyone"),
        files=(SUMMARY, TABLES, *files),
        source=f"everyone.{metric}",
        dvc=f"everyone_{metric}" if files else "",
        question=EVERYONE,
        **both,  # type: ignore[arg-type]
    )
    return own, everyone


ACCURACY, EVERYONE_ACCURACY = _judged("accuracy", "Test accuracy (%)", "Accuracy", MAIN)
BALANCED, EVERYONE_BALANCED = _judged(
    "balanced_accuracy", "Balanced accuracy (%)", "Balanced accuracy", MAIN
)
AUC, EVERYONE_AUC = _judged("auc_macro", "Macro AUC-ROC", "Macro AUC", MAIN)
F1, EVERYONE_F1 = _judged("f1_macro", "Macro F1 (%)", "Macro F1")
KAPPA, EVERYONE_KAPPA = _judged("kappa", "Cohen's kappa", "Kappa")
WORST = Column(
    *("worst_client_accuracy", "Worst client's accuracy (%)", "%", "higher"),
    files=(ROUNDS, SUMMARY, TABLES, MAIN, CURVES),
    source="fairness.worst",
    short="Worst client",
    dvc="worst_client",
    question=OWN,
)
TARGET = Column(
    *("rounds_to_target", "Rounds to the target on validation", "", "lower"),
    files=(SUMMARY, TABLES),
    kind=int,
    source="communication.rounds_to_target",
    short="Rounds to target",
    question=OWN,
    digits=1,
)
STEPS = Column(
    "steps", "Steps of the run", files=(SUMMARY,), kind=int, source="steps", short="Steps"
)
SECONDS = Column(
    *("seconds", "Seconds of the run", "s", ""),
    files=(SUMMARY,),
    source="timing.seconds",
    short="Seconds",
    digits=1,
)
MEGABYTES = Column(
    *("megabytes", "Traffic, up and down (MB per run)", "MB", ""),
    files=(TABLES, MAIN),
    source="communication.megabytes",
    short="MB",
)

# These stand at the end of a run's tables, and only where they say something: what one ε protects,
# where a link promises one (the summary always has it); how many updates were refused, if any was.
PRIVACY_UNIT = Column(
    *("privacy_unit", "What one ε protects", "", "", (SUMMARY,), str), source="privacy.unit"
)
FORWARDS = Column("forwards", "Batches of which only the loss was computed", files=(), kind=int)
REFUSED = Column(
    *("refused", "Updates that were not finite", "", "lower", (ROUNDS, CLIENTS, SUMMARY), int),
    source="refused_updates",
    short="Refused",
)

# So do these, where clients attack or a rule other than the sum combines.
BACKDOOR = Column(
    *("backdoor_success", "Marked test images taken for the target (%)", "%"),
    files=(SUMMARY,),
    source="robustness.backdoor_success",
    short="Backdoor",
)
ROBUSTNESS = (
    Column("attackers", "Clients that attack", "", "", (SUMMARY,), int, "robustness.attackers"),
    Column(
        *("attackers_share", "Clients that attack (%)", "%", "", (SUMMARY,)),
        source="robustness.share",
    ),
    Column("attack", "Attack", "", "", (SUMMARY,), str, "robustness.attack"),
    Column("rule", "Rule", "", "", (SUMMARY,), str, "robustness.rule"),
    Column(
        *("pre_aggregation", "What is done before the rule", "", "", (SUMMARY,), str),
        source="robustness.pre_aggregation",
    ),
    BACKDOOR,
)

_ROUND, _CLIENT, _SUMMARY, _TABLE = (ROUNDS,), (CLIENTS,), (SUMMARY,), (SUMMARY, TABLES)
_BOTH = (ROUNDS, SUMMARY)
COLUMNS: tuple[Column, ...] = (
    # These say which run it is, and what became of it.
    _named_alike("dataset"),
    _named_alike("partition"),
    _named_alike("arm"),
    _named_alike("algorithm"),
    _named_alike("seed", int),
    _named_alike("status"),
    _named_alike("evaluated"),
    _named_alike("everyone_by"),
    _named_alike("primary"),
    _named_alike("objective"),
    _named_alike("work"),
    _named_alike("extra_work"),
    Column("run", files=(SUMMARY,), kind=str),
    _named_alike("rounds", int),
    # These say what a round did, and what it cost.
    Column("round", "Round", files=(ROUNDS, CLIENTS), kind=int),
    Column("learning_rate", "Learning rate", files=_ROUND),
    Column("participants", "Clients that trained", files=_ROUND, kind=int),
    Column("steps", "Steps of the round", files=_ROUND, kind=int),
    Column("gradients", "Gradients computed in the round", files=_ROUND, kind=int),
    Column("train_loss", "Training loss", "", "lower", _ROUND),
    Column("update_norm", "Norm of the update", files=_ROUND),
    Column("bytes_up", "Sent by clients in the round", "bytes", files=_ROUND, kind=int),
    Column("bytes_down", "Sent to clients in the round", "bytes", files=_ROUND, kind=int),
    Column("bytes_total", "Sent up to this round", "bytes", files=_ROUND, kind=int),
    Column("seconds", "Seconds up to this round", "s", files=_ROUND),
    Column("evaluated", "Whether it was evaluated", files=_ROUND, kind=int),
    # These are of one client's fold in a round that was evaluated.
    Column("client", "Client", files=_CLIENT, kind=int),
    Column("fold", "Fold", files=_CLIENT, kind=str),
    Column("n", "Samples", files=_CLIENT, kind=int),
    Column("patients", "Patients", files=_CLIENT, kind=int),
    Column("accuracy", "Accuracy (%)", "%", "higher", _CLIENT),
    Column("accuracy_low", "Accuracy (%), lower end of its interval", "%", "", _CLIENT),
    Column("accuracy_high", "Accuracy (%), upper end of its interval", "%", "", _CLIENT),
    Column("balanced_accuracy", "Balanced accuracy (%)", "%", "higher", _CLIENT),
    Column("auc_macro", "Macro AUC-ROC", "", "higher", _CLIENT),
    Column("f1_macro", "Macro F1 (%)", "%", "higher", _CLIENT),
    Column("kappa", "Cohen's kappa", "", "higher", _CLIENT),
    Column("log_loss", "Log loss", "", "lower", _CLIENT),
    Column("train_samples", "Training samples", files=_CLIENT, kind=int),
    Column("steps", "Steps up to this round", files=_CLIENT, kind=int),
    # These say how good the model is: on validation, by which settings are chosen, and on test.
    Column(
        *("val_accuracy", "Validation accuracy (%)", "%", "higher", _BOTH), source="val.accuracy"
    ),
    Column(
        *("val_balanced_accuracy", "Balanced validation accuracy (%)", "%", "higher", _BOTH),
        source="val.balanced_accuracy",
    ),
    Column(
        *("val_auc_macro", "Macro AUC-ROC on validation", "", "higher", _BOTH),
        source="val.auc_macro",
    ),
    Column(
        *("val_f1_macro", "Macro F1 on validation (%)", "%", "higher", _BOTH),
        source="val.f1_macro",
    ),
    Column(*("val_kappa", "Cohen's kappa on validation", "", "higher", _BOTH), source="val.kappa"),
    Column("val_loss", "Validation loss", "", "lower", _BOTH, source="val.log_loss"),
    ACCURACY,
    BALANCED,
    AUC,
    F1,
    KAPPA,
    Column("test_loss", "Test loss", "", "lower", (ROUNDS, CURVES), source="test.log_loss"),
    Column(
        *("test_ece", "Expected calibration error", "", "lower", _TABLE),
        source="test.ece",
        short="ECE",
        question=OWN,
    ),
    Column(
        *("test_log_loss", "Log loss", "", "lower", _TABLE),
        source="test.log_loss",
        short="Log loss",
        question=OWN,
    ),
    EVERYONE_ACCURACY,
    EVERYONE_BALANCED,
    EVERYONE_AUC,
    EVERYONE_F1,
    EVERYONE_KAPPA,
    # These say what the primary metric is worth where no image is looked at.
    Column("chance_own", files=_SUMMARY, source="chance_own", question=OWN),
    Column("chance_everyone", files=_SUMMARY, source="chance_everyone", question=EVERYONE),
    Column("best_round", "Best round", files=_SUMMARY, kind=int, source="best.round"),
    Column(
        "best_test_accuracy",
        "Test accuracy (%) in the round that was best on validation",
        *("%", "higher", _TABLE),
        source="best_test.accuracy",
        short="Accuracy, best round",
        question=OWN,
    ),
    Column(
        "best_test_balanced_accuracy",
        "Balanced accuracy (%) in the round that was best on validation",
        *("%", "higher", _TABLE),
        source="best_test.balanced_accuracy",
        short="Balanced accuracy, best round",
        question=OWN,
    ),
    Column(
        "best_test_auc_macro",
        "Macro AUC-ROC in the round that was best on validation",
        *("", "higher", _TABLE),
        source="best_test.auc_macro",
        short="Macro AUC, best round",
        question=OWN,
    ),
    # These say how test accuracy differs between the clients that have enough test samples.
    WORST,
    Column(
        "worst_client_n_test", files=(ROUNDS, SUMMARY), kind=int, source="fairness.worst_n_test"
    ),
    Column("worst_client_patients", files=_SUMMARY, kind=int, source="fairness.worst_patients"),
    Column("worst_client_low", unit="%", files=_SUMMARY, source="fairness.worst_low"),
    Column("worst_client_high", unit="%", files=_SUMMARY, source="fairness.worst_high"),
    Column("worst_client", files=_SUMMARY, kind=str, source="fairness.worst_client"),
    Column("clients_judged", files=_SUMMARY, kind=int, source="fairness.n"),
    Column("clients_left_out", files=_SUMMARY, kind=str, source="fairness.too_few"),
    Column(
        *("client_accuracy_std", "Spread of client accuracy (σ, %)", "%", "lower", _TABLE),
        source="fairness.std",
        short="Spread",
        question=OWN,
    ),
    Column(
        *("jain", "Jain's fairness index of client accuracy", "", "higher", _TABLE),
        source="fairness.jain",
        short="Jain",
        question=OWN,
    ),
    # These say what the run cost.
    MEGABYTES,
    Column(
        *("bytes_up", "Sent by clients in the run", "bytes", "", _SUMMARY, int),
        source="communication.bytes_up",
    ),
    Column(
        *("bytes_down", "Sent to clients in the run", "bytes", "", _SUMMARY, int),
        source="communication.bytes_down",
    ),
    TARGET,
    Column(
        *("bytes_to_target", "Sent up to the target", "bytes", "lower", _SUMMARY, int),
        source="communication.bytes_to_target",
    ),
    Column("epsilon", "Privacy budget ε", files=_SUMMARY, source="privacy.epsilon"),
    Column("delta", "δ of the privacy budget", files=_SUMMARY, source="privacy.delta"),
    PRIVACY_UNIT,
    STEPS,
    SECONDS,
)


def judged(metric: str, question: str = OWN) -> Column:
    """The column of a metric of test samples, for one of the two questions."""
    found = (c for c in COLUMNS if c.metric == metric and c.question == question)
    return next(found)


def columns_in(*files: str) -> tuple[Column, ...]:
    """The columns that stand in any of these files, in their order."""
    return tuple(column for column in COLUMNS if not set(files).isdisjoint(column.files))


def names_in(file: str) -> tuple[str, ...]:
    """The names of the columns of a file, which are its first line."""
    return tuple(column.name for column in columns_in(file))


def table_columns(file: str, extra: Iterable[Column] = ()) -> tuple[Column, ...]:
    """The columns of a run's table (``ROUNDS`` or ``CLIENTS``); ``extra``, of links, stand last.

    Raises:
        MedflError: for an extra column whose name is taken, or which holds words.
    """
    columns = list(columns_in(file))
    for column in extra:
        if column.name in {known.name for known in (*columns, PRIVACY_UNIT, REFUSED)}:
            raise MedflError(
                f"{file} has a column `{column.name}` already: give the link's column another name."
            )
        if column.kind is str:
            raise MedflError(
                f"the link's column `{column.name}` has kind str: {file} holds numbers of links, "
                "so leave `kind` out."
            )
        columns.append(column)
    return tuple(columns)
