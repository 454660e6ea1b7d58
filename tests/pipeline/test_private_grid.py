"""The small grid of privacy that comes with the project: some arms, one seed, few rounds."""

from __future__ import annotations

import sys

import pandas as pd
import pytest
from workflows import Workflow, copy_workflow

pytestmark = pytest.mark.slow
BUDGETS = {"eps1": 1.0, "eps3": 3.0, "eps8": 8.0}
ARMS = (
    *("fedavg", "fedavg-secagg", "fedavg-he", "fedavg-dp-image-eps8"),
    *("fedavg-dp-patient-inf", "fedavg-dp-patient-eps1", "scaffold-dp"),
)


def test_the_small_grid_ends_in_tables_and_pictures_of_what_each_epsilon_costs(tmp_path):
    copy_workflow(tmp_path)
    project = Workflow(tmp_path, fake=False)
    project.environment["PYTHONPATH"] = str(tmp_path)
    grid = ("--configfile", "params/privacy-small.yaml", "--config", "seeds=[0]")
    few = (f"arms=[{', '.join(ARMS)}]", "run={federated_learning: {rounds: 4}}")
    project.run(sys.executable, "-m", "snakemake", "--cores", "2", *grid, *few)
    results = tmp_path / "results/privacy-small"
    runs = pd.read_csv(results / "summary.csv").set_index("arm")
    assert set(runs.index) == set(ARMS)
    assert set(runs["status"]) == {"completed"}
    for arm, run in runs.iterrows():
        unit = next((word for word in ("image", "patient") if word in arm), "")
        if arm == "scaffold-dp":
            unit = "patient"
        assert run["privacy_unit"] == unit or (pd.isna(run["privacy_unit"]) and not unit), arm
        budget = BUDGETS.get(arm.rsplit("-", 1)[-1], 8.0 if arm == "scaffold-dp" else None)
        if budget is None:
            assert pd.isna(run["epsilon"]), arm
            continue
        # The noise is the least that keeps to the budget, so nearly all of it is spent.
        assert 0.95 * budget < run["epsilon"] <= budget, arm
        rounds = pd.read_csv(results / f"runs/phantom/dirichlet-0.5/{arm}/seed0/rounds.csv")
        assert rounds["epsilon"][1:].is_monotonic_increasing
        assert rounds["epsilon"].iloc[-1] == run["epsilon"]
        clients = pd.read_csv(results / f"runs/phantom/dirichlet-0.5/{arm}/seed0/clients.csv")
        last = clients[clients["round"] == clients["round"].max()]
        assert last["epsilon"].max() == run["epsilon"]
    table = pd.read_csv(results / "tables/privacy.csv").set_index("arm")
    assert table.loc["fedavg-dp-patient-inf", "epsilon"] == float("inf")
    assert table.loc["fedavg-secagg", "hidden_by"] == "masks"
    assert table.loc["fedavg-he", "hidden_by"] == "encryption"
    assert table.loc["fedavg-secagg", "megabytes:mean"] > table.loc["fedavg", "megabytes:mean"]
    for name in ("privacy_phantom", "protection_phantom"):
        assert (results / f"figures/{name}.png").stat().st_size > 10_000
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "ε of one patient" in page
    assert "the server sees the sum alone (masks)" in page
