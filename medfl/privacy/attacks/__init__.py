"""Attacks on privacy: what a server that follows the protocol can learn from what it receives."""
