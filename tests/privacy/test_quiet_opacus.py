"""Opacus leaves the process's logging alone."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import logging
from medfl.privacy.accounting import epsilon_of
assert round(epsilon_of(1.5, 0.04, 2250, 1e-5), 5) == 7.32911
import sys
assert "opacus" in sys.modules
assert logging.getLogger().handlers == []
assert logging.getLogger().level == logging.WARNING
"""


def test_the_root_logger_stays_as_it_was():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
