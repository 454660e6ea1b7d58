"""What an arm has set for itself."""

from __future__ import annotations

import yaml

from medfl.report.arm_settings import own_settings
from medfl.report.grid_results import GridResults
from medfl.results.runs import read_grid_runs


def settings(folder, fake, by_arm):
    cells = fake.grid(["toy"], ["iid"], by_arm, [0])
    for cell in cells:
        path = fake.write_run(folder, cell, [0.3, 0.5])
        params, rate = by_arm[cell.arm]
        content = {
            **{"arm": cell.arm, "seed": 0, "training": {"learning_rate": rate, "device": cell.arm}},
            "federated_learning": {"algorithm": cell.arm, "algorithm_params": params},
        }
        (path / "config.yaml").write_text(yaml.safe_dump(content))
    return own_settings(GridResults(read_grid_runs(cells, folder)))


def test_hyper_parameters_and_what_differs_from_most_arms(tmp_path, fake):
    found = settings(
        tmp_path, fake, {"fedavg": ({}, 0.2), "fedprox": ({"mu": 0.1}, 0.2), "moon": ({}, 0.05)}
    )
    assert found == {"fedavg": "", "fedprox": "mu = 0.1", "moon": "learning_rate = 0.05"}


def test_of_two_arms_that_differ_both_are_told(tmp_path, fake):
    found = settings(tmp_path, fake, {"fedavg": ({}, 0.2), "moon": ({}, 0.05)})
    assert found == {"fedavg": "learning_rate = 0.2", "moon": "learning_rate = 0.05"}


def test_one_arm_alone_differs_from_none(tmp_path, fake):
    assert settings(tmp_path, fake, {"fedprox": ({"mu": 0.1}, 0.2)}) == {"fedprox": "mu = 0.1"}
