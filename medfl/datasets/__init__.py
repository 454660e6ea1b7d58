"""Datasets by name: published ones (``catalog/``), and a person's own (``described/``).

``registry.py`` knows both, and ``prepare.py`` makes the store of one.
"""
