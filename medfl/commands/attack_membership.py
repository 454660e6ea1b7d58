"""`attack membership`: train federations on random halves, and tell members from others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.config import FederatedConfig
    from medfl.config.attack import MembershipSettings
    from medfl.privacy.attacks.kept import KeptParts
    from medfl.privacy.attacks.membership import Halves, MembershipCurve
    from medfl.store import Store

GLOBAL, LOCAL, EPSILON = "global model", "one client's update", "epsilon"
COLUMNS = (
    "arm", "epsilon", "model", "attack", "members", "non_members", "auc",
    "fpr", "tpr", "tpr_low", "tpr_high",
)  # fmt: skip


def tell_members(
    store: Store, dataset: str, arms: Sequence[str], settings: MembershipSettings, folder: Path
) -> None:
    """Attack every arm; write a ROC for each, ``membership.csv`` and ``membership.md``."""
    from tqdm import tqdm

    from medfl.config.attack import PROTECTIONS
    from medfl.files import write_csv, write_text
    from medfl.observed.attacked import kept_parts, run_configs
    from medfl.pages.figures import save
    from medfl.privacy.attacks.membership import halves, judge
    from medfl.privacy.attacks.pictures import draw_roc
    from medfl.privacy.attacks.words import membership_page

    dealt = halves(store.groups, settings.clients, settings.shadows, settings.seed)
    _check_halves(dealt, settings, dataset)
    configs = run_configs(
        dataset, arms, PROTECTIONS, settings.clients, settings.seed, _run(settings)
    )
    curves: dict[str, dict[str, list[MembershipCurve]]] = {}
    spent: dict[str, float | None] = {}
    rows: list[dict[str, Any]] = []
    count = settings.shadows * len(arms)
    with tqdm(
        total=count, desc="training", unit="federation", file=sys.stderr, mininterval=0.5
    ) as bar:
        for arm in arms:
            parts = kept_parts(folder / "parts", configs[arm], store, settings.model_dump())
            scores = _scores(store, arm, configs[arm], dealt, settings, parts, bar.update)
            spent[arm] = largest(scores.pop(EPSILON))
            curves[arm] = {}
            for model, found in scores.items():
                judged = judge(model, found, dealt)
                curves[arm][model] = list(judged.values())
                for attack, curve in judged.items():
                    rows += _rows(arm, spent[arm], model, attack, curve)
            every = [curve for found in curves[arm].values() for curve in found]
            save(draw_roc(f"Members found ({dataset}, {arm})", every), folder / f"membership_{arm}")
    write_csv(folder / "membership.csv", COLUMNS, rows)
    write_text(folder / "membership.md", membership_page(dataset, curves, spent, settings))
    print(f"{folder}: membership_*.png, membership.csv, membership.md")


def _run(settings: MembershipSettings) -> dict[str, Any]:
    return {
        "federated_learning": {
            "rounds": settings.rounds,
            "local_steps": settings.local_steps,
            "evaluate_every": settings.rounds,
        },
        # The same network with and without differential privacy, which bears no batch norm.
        "model": {"normalization": "group"},
        "training": {
            "batch_size": settings.batch_size,
            "learning_rate": settings.learning_rate,
            "device": "cpu",
            "mixed_precision": "off",
        },
    }


def _scores(
    store: Store,
    arm: str,
    config: FederatedConfig,
    dealt: Halves,
    settings: MembershipSettings,
    parts: KeptParts,
    told: Any,
) -> dict[str, Any]:
    """What the models of each federation say of each image: whose model → (S, n)."""
    from medfl.observed.attacked import confidences, federate
    from medfl.streams import stream_seed

    rows = np.arange(len(store))
    found: list[dict[str, Any]] = []
    for shadow, member in enumerate(dealt.member):

        def make(shadow: int = shadow, member: Any = member) -> dict[str, Any]:
            held = [
                np.flatnonzero(member & (dealt.homes == client))
                for client in range(settings.clients)
            ]
            seed = stream_seed(settings.seed, "shadow", shadow) % 2**31
            federation = federate(store, held, config, seed)
            of_all, of_one = confidences(federation, rows, dealt.homes)
            made = {GLOBAL: of_all} if of_one is None else {GLOBAL: of_all, LOCAL: of_one}
            spent = np.nan if federation.epsilon is None else federation.epsilon
            return {**made, EPSILON: np.array(spent)}

        found.append(parts.get(f"{arm}_{shadow}", make))
        told(1)
    # Where clients are drawn, the last round of some federations may lack one.
    seen = [model for model in found[0] if all(model in one for one in found)]
    return {model: np.stack([one[model] for one in found]) for model in seen}


def largest(spent: Any) -> float | None:
    """The largest ε of the federations, (S,); None where they promise none."""
    return None if np.isnan(spent).all() else float(np.nanmax(spent))


def _check_halves(dealt: Halves, settings: MembershipSettings, dataset: str) -> None:
    """Refuse so few patients that a client has no image to train on in some federation."""
    for member in dealt.member:
        counts = np.bincount(dealt.homes[member], minlength=settings.clients)
        if counts.min() < 2:
            raise MedflError(
                f"{dataset} has too few patients for {settings.clients} clients with half of their "
                "patients each: lower --clients."
            )


def _rows(
    arm: str, epsilon: float | None, model: str, attack: str, curve: MembershipCurve
) -> list[dict[str, Any]]:
    """A row for each false-positive rate; shares are blank where non-members are too few."""
    return [
        {
            "arm": arm,
            "epsilon": epsilon,
            "model": model,
            "attack": attack,
            "members": curve.roc.members,
            "non_members": curve.roc.others,
            "auc": round(curve.roc.auc, 6),
            "fpr": one.rate,
            "tpr": one.value,
            "tpr_low": one.low,
            "tpr_high": one.high,
        }
        for one in curve.caught
    ]
