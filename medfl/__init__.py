"""medfl: a reproducible benchmark of federated learning on medical images."""
