"""Published datasets, one file for each publisher's layout; ``datasets/registry.py`` lists them."""
