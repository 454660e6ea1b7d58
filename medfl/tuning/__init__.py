"""An equal budget of tuning for every arm: points of its search space, the choice among them."""
