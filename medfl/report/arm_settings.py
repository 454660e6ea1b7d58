"""The settings that an arm has for itself: its hyper-parameters, and what differs from the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from medfl.errors import MedflError
from medfl.files import read_yaml
from medfl.report.grid_results import GridResults
from medfl.results import paths
from medfl.results.record import AGAIN
from medfl.results.runs import Run

# These name a run, say where it is computed, or stand in the table of arms by themselves; pooled
# samples have no number of clients.
_ELSEWHERE = (
    *("arm", "partition", "seed", "dataset", "split_file"),
    *("training.device", "training.threads", "training.workers"),
    *("federated_learning.algorithm", "federated_learning.num_clients"),
)
_SECTION = "federated_learning"
_PARAMS = "federated_learning.algorithm_params."


def own_settings(results: GridResults) -> dict[str, str]:
    """Arm → its hyper-parameters, and settings that fewer than half of the arms share, in words.

    Of settings that were tuned it has the names. The first run of each arm decides.
    """
    first = {run.arm: run for run in reversed(results.runs) if run.record}
    flat = {arm: _flat(_config(first[arm])) for arm in results.arms if arm in first}
    counts: dict[str, Counter[str]] = {}
    for found in flat.values():
        for key, value in found.items():
            counts.setdefault(key, Counter())[str(value)] += 1
    return {
        arm: _words(
            first[arm],
            {
                key: value
                for key, value in found.items()
                if key.startswith(_PARAMS) or 2 * counts[key][str(value)] <= len(flat) > 1
            },
        )
        for arm, found in flat.items()
    }


def _words(run: Run, settings: Mapping[str, Any]) -> str:
    """``mu = 0.1, learning_rate tuned``."""
    tuning = run.record.provenance.get("tuning") if run.record else None
    tuned = dict.fromkeys((tuning or {}).get("values") or {})
    named = {key.rpartition(".")[2]: value for key, value in settings.items()}
    kept = [f"{key} = {value}" for key, value in named.items() if key not in tuned]
    return ", ".join([*kept, *(f"{key} tuned" for key in tuned)])


def _config(run: Run) -> Mapping[str, Any]:
    path = run.folder / paths.CONFIG
    if not path.exists():
        return {}
    content = read_yaml(path)
    if not isinstance(content, dict) or not isinstance(content.get(_SECTION, {}), dict):
        raise MedflError(f"{path} does not describe a run: {AGAIN}")
    return content


def _flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Settings by their places, joined by points, without those that say nothing of an arm."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        place = f"{above}{key}"
        if isinstance(value, dict):
            found |= _flat(value, f"{place}.")
        elif place not in _ELSEWHERE:
            found[place] = value
    return found
