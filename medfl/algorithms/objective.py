"""What an arm minimises, in words, for its record and the report. docs/algorithms.md has the signs.

The words hold for small rates: then every local step goes along its client's gradient at x, and a
client counts by how often it steps. What larger rates add is called client drift. Proofs by example
are in tests/identities/test_objective.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.own_class import check_words

if TYPE_CHECKING:
    from medfl.algorithms.base import FederatedAlgorithm
    from medfl.chain.roles import Server

# What a class may have of its own and still minimise what its base class does.
_HARMLESS = (
    "Params",
    "evaluated",
    "statistics",
    "unshared_descents",
    "takes_full_gradient",
    "keeps_batch_norm_alone",
    "public_parts",
    "check",
    "extra_work",
    "personal_model",
    "columns",
    "row",
    "client_columns",
    "client_row",
    "counts_labels",
)


def objective_of(algorithm: FederatedAlgorithm) -> str:
    """What an algorithm minimises; "not stated" where a person's own class does not say it.

    The words of a base class do not hold for a class that overrides hooks of it.
    """
    kinds = type(algorithm).__mro__
    for position, kind in enumerate(kinds):
        if "objective" in vars(kind):
            break
        changed = [
            f"`{name}`"
            for name in vars(kind)
            if name[0] != "_"
            and name not in _HARMLESS
            and any(hasattr(base, name) for base in kinds[position + 1 :])
        ]
        # Of medfl's own classes the tests know what they minimise.
        if changed and not kind.__module__.startswith("medfl."):
            words = " and ".join(changed)
            return f"not stated: {kind.__name__} has {words} of its own, and no `objective`"
    said = algorithm.objective()
    check_words(said, str, hook_word("objective", type(algorithm)), "a text")
    return said


def hook_word(hook: str, kind: type) -> str:
    """A hook of a person's own class, which is named as in a configuration, for errors."""
    return f"`{hook}` of the algorithm `{kind.__module__}:{kind.__name__}`"


def averaged(server: Server, loss: str = "F_i", proximal: bool = False) -> str:
    """What the weighted average of the clients' models minimises: the words of FedAvg's kin.

    Args:
        server: the federation's.
        loss: what the local steps of client i minimise.
        proximal: whether they are also pulled back to x, so that further steps reach less far.
    """
    training, weights = server.config.training, share(server)
    reason = ""
    if training.optimizer != "sgd":
        reason = f"the steps of {training.optimizer} are as long for a flat loss as for a steep one"
    elif training.clip_norm is not None:
        reason = f"gradients longer than {training.clip_norm:g} are cut to that"
    if reason:
        return f"no weighted mean of {loss}: {reason}; steps are averaged with p_i: {weights}"
    if len(set(server.local_steps.values())) == 1:
        return f"Σ p_i {loss}{drift(server)}; p_i: {weights}"
    reach, meaning = "τ_i", "client i's steps"
    if training.momentum or proximal:
        reach, meaning = "‖a_i‖₁", "how far client i's steps reach"
    return f"Σ p_i {reach} {loss}{drift(server)}; {reach}: {meaning}; p_i: {weights}"


def drift(server: Server) -> str:
    """The part of the words that speaks of client drift; empty where each client takes one step."""
    if max(server.local_steps.values()) == 1:
        return ""
    learning = server.config.federated_learning
    if learning.local_steps is not None:
        work = f"{learning.local_steps} local steps"
    else:
        epochs = learning.local_epochs or learning.default_epochs
        work = "a local epoch" if epochs == 1 else f"{epochs} local epochs"
    return f", up to client drift in {work}"


def share(server: Server, by_steps: bool = False) -> str:
    """What p_i is where averages are taken over the clients of a round.

    ``by_steps`` says that rounds of clients with more steps count more.
    """
    size, everyone = server.config.federated_learning.clients_per_round, server.num_clients
    uneven = by_steps and len(set(server.local_steps.values())) > 1
    uniform = server.config.federated_learning.weighting == "uniform"
    if size is None or size >= everyone or (uniform and not uneven):
        return share_of_all(server)
    of = "the clients" if uniform else "the training samples"
    counted = ", which count by their τ_eff" if uneven else ""
    return f"share of {of} of a round, {size} of {everyone} clients, mean over rounds{counted}"


def share_of_all(server: Server) -> str:
    """What p_i is where it does not depend on who takes part in a round."""
    if server.config.federated_learning.weighting == "uniform":
        return f"1/{server.num_clients}"
    return "share of all training samples"
