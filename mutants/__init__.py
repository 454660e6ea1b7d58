"""Mutants: small wrong edits of the package, each of which a test should notice."""
