"""Federations that `medfl attack` observes and `medfl audit` judges."""
