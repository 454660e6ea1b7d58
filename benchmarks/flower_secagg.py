"""One round of Flower's own SecAgg+ code, timed; run by the Python of an environment with flwr.

`python benchmarks/flower_secagg.py CLIENTS LENGTH` prints processor and wall seconds, bytes up and
the largest error of the mean. The clients' steps are Flower's functions. The server's are the lines
of its workflow (flwr/server/workflow/secure_aggregation/secaggplus_workflow.py), without transport.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

import numpy as np
from flwr.common import ndarrays_to_parameters
from flwr.common.secure_aggregation.crypto.shamir import combine_shares
from flwr.common.secure_aggregation.ndarrays_arithmetic import (
    factor_extract,
    get_parameters_shape,
    parameters_addition,
    parameters_mod,
    parameters_subtraction,
)
from flwr.common.secure_aggregation.quantization import dequantize
from flwr.common.secure_aggregation.secaggplus_constants import Key
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen
from flwr.compat.common.parameter import bytes_to_ndarray

# The package has a function of the module's name.
client_side = importlib.import_module("flwr.client.mod.secure_aggregation.secaggplus_mod")
CLIP, TARGET, MODULUS, MAX_WEIGHT = 1.0, 1 << 22, 1 << 32, 1000.0  # Flower's defaults but CLIP


def vector(client: int, length: int) -> np.ndarray:
    """The same as in ``benchmarks/secure_aggregation.py``."""
    draw = np.random.default_rng(client)
    return draw.standard_normal(length, np.float32) * np.float32(0.05)


def keys(clients: int) -> dict[int, Any]:
    """Set-up and shares of all clients; every one has all others for neighbours."""
    threshold = clients // 2 + 1
    settings = {
        Key.SAMPLE_NUMBER: clients,
        Key.SHARE_NUMBER: clients,
        Key.THRESHOLD: threshold,
        Key.CLIPPING_RANGE: CLIP,
        Key.TARGET_RANGE: TARGET,
        Key.MOD_RANGE: MODULUS,
        Key.MAX_WEIGHT: MAX_WEIGHT,
    }
    states, public = {}, {}
    for client in range(clients):
        states[client] = client_side.SecAggPlusState(nid=client)
        states[client].nid = client
        found = client_side._setup(states[client], settings)
        public[str(client)] = [found[Key.PUBLIC_KEY_1], found[Key.PUBLIC_KEY_2]]
    dealt = {client: client_side._share_keys(states[client], public) for client in states}
    for client, state in states.items():
        sources = [other for other in states if other != client]
        texts = []
        for other in sources:
            at = dealt[other][Key.DESTINATION_LIST].index(client)
            texts.append(dealt[other][Key.CIPHERTEXT_LIST][at])
        state.inbox = {Key.CIPHERTEXT_LIST: texts, Key.SOURCE_LIST: sources}
    return states


def main() -> None:
    """Run one round and print what it cost."""
    clients, length = int(sys.argv[1]), int(sys.argv[2])
    spent = started = 0.0
    processor, wall = time.process_time(), time.perf_counter()
    states = keys(clients)
    total, size = None, 0
    for client, state in states.items():
        paused, stopped = time.process_time(), time.perf_counter()
        update = vector(client, length)
        parameters = ndarrays_to_parameters([update])
        spent += time.process_time() - paused
        started += time.perf_counter() - stopped
        sent = client_side._collect_masked_vectors(state, state.inbox, 700, parameters)
        size += sum(len(text) for text in sent[Key.MASKED_PARAMETERS])
        arrays = [bytes_to_ndarray(text) for text in sent[Key.MASKED_PARAMETERS]]
        total = arrays if total is None else parameters_addition(total, arrays)
    masked = parameters_mod(total, MODULUS)
    shares: dict[int, list[bytes]] = {client: [] for client in states}
    asked = {Key.ACTIVE_NODE_ID_LIST: list(states), Key.DEAD_NODE_ID_LIST: []}
    for state in states.values():
        given = client_side._unmask(state, asked)
        for owner, share in zip(given[Key.NODE_ID_LIST], given[Key.SHARE_LIST], strict=True):
            shares[owner].append(share)
    for owner in states:
        seed = combine_shares(shares[owner])
        mask = pseudo_rand_gen(seed, MODULUS, get_parameters_shape(masked))
        masked = parameters_subtraction(masked, mask)
    ratio, found = factor_extract(parameters_mod(masked, MODULUS))
    (mean,) = dequantize(found, CLIP, TARGET)
    mean += -(clients - 1) * CLIP
    mean *= TARGET / ratio
    processor, wall = time.process_time() - processor - spent, time.perf_counter() - wall - started
    exact = np.mean([vector(client, length).astype(np.float64) for client in states], axis=0)
    error = float(np.abs(mean - exact).max())
    print(json.dumps({"cpu": processor, "wall": wall, "bytes_up": size, "error": error}))


if __name__ == "__main__":
    main()
