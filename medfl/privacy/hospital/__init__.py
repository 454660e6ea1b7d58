"""Differential privacy of whole hospitals: the link ``dp_hospital``."""
