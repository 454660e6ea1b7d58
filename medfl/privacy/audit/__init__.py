"""Audits: how much a mechanism is seen to leak at least, beside the ε that it claims."""
