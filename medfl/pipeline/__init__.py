"""The pipeline: what a grid asks Snakemake for, its starts, and how far it is."""
