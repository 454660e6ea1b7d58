"""What masks and ciphertexts have in common: updates as whole numbers, in signed messages.

The server adds up what it cannot read. ``secure_aggregation`` hides the numbers behind masks,
``encryption`` in ciphertexts; both write them as this room says, and read their sum so.
"""

FEWEST_CLIENTS = 3
"""Of a sum: of two clients, each could read the other's update from it."""
