"""FedDyn against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from federations import federation, models
from softmax import Softmax, close


@pytest.mark.parametrize(("sizes", "clients"), [((8, 12), None), ((8, 16, 12, 6), 2)])
@pytest.mark.parametrize("alpha", [0.1, 2.0])
@pytest.mark.parametrize("weighting", ["samples", "uniform"])
def test_rounds_by_hand(alpha, sizes, clients, weighting):
    trainer = federation(
        "feddyn",
        {"alpha": alpha},
        sizes=sizes,
        clients_per_round=clients,
        rounds=5,
        weighting=weighting,
    )
    problem, m = Softmax(trainer), len(sizes)
    p = np.array(sizes if weighting == "samples" else [1] * m, float)
    p /= p.sum()
    x = problem.start
    h, g = np.zeros_like(x), np.zeros((m, len(x)))
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen = problem.participants(number)
            y = {
                k: problem.descend(
                    x,
                    problem.batches(k, number),
                    correction=lambda y, x=x, k=k: alpha * (y - x) - g[k],
                )
                for k in chosen
            }
            for k in chosen:
                g[k] -= alpha * (y[k] - x)
            h = h - alpha * sum(p[k] * (y[k] - x) for k in chosen)
            x = sum(p[k] * y[k] for k in chosen) / p[chosen].sum() - h / alpha
        assert close(seen, x)
    # The server's h is the mean of all clients' gradient states (Acar et al., section 3), where
    # the paper has equal weights.
    assert np.abs(h - p @ g).max() < 1e-12
    assert close(trainer.server.algorithm.state["h"], p @ g)


def test_it_reaches_the_optimum_that_local_steps_miss():
    # Many local steps on unlike clients: FedAvg stops beside the stationary point, FedDyn at it.
    def distance(algorithm, params):
        trainer = federation(
            algorithm,
            params,
            sizes=(6, 6, 6),
            rounds=25,
            local_steps=6,
            batch_size=100,
            learning_rate=0.05,
            weight_decay=0.5,
            weighting="uniform",
            evaluate_every=25,
        )
        problem = Softmax(trainer)
        trainer.train()
        x = trainer.server.vector.numpy()
        slopes = [problem.gradient(x, problem.rows(k)) + 0.5 * x for k in range(3)]
        return np.linalg.norm(np.mean(slopes, axis=0))

    dynamic = distance("feddyn", {"alpha": 0.5})
    controlled = distance("scaffold", {})
    plain = distance("fedavg", {})
    assert dynamic < 0.2 * plain
    assert controlled < 0.2 * plain
