"""DP-SGD: what one image, or one patient, adds to each step is bounded, and noise hides it."""
