"""Warm starts: a job is forked from a process that has imported everything, and has done nothing.

Jobs of one start on one machine (Snakemake's local ones) need not each start an interpreter and
import PyTorch. The first of them leaves a server behind, in its own interpreter; each job then is a
fresh fork of it, with the caller's arguments, folder and files. So nothing of a job is felt in
another. Whoever called waits, hands on signals, and ends as its job does.
"""

from medfl.warm.address import OFF, VARIABLE, offer
from medfl.warm.client import foresee, served
from medfl.warm.forked import ended

__all__ = ["OFF", "VARIABLE", "ended", "foresee", "offer", "served"]
