"""The arms of a grid: named algorithms with their settings, and what they are crossed with."""
