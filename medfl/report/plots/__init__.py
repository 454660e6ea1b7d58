"""Draws the results of a grid, in colours that the colour-blind can tell apart."""
