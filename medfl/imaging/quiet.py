"""Keep the libraries that read files off the screen: their words quote what is in the files."""

from __future__ import annotations

import logging
import re
import warnings
from functools import cache

_LIBRARIES = ("pydicom", "PIL", "nibabel", "pylibjpeg", "openjpeg", "libjpeg")
_SILENCE = ("ignore", None, Warning, re.compile(rf"({'|'.join(_LIBRARIES)})\b"), 0)


def be_quiet() -> None:
    """Silence their logs and warnings; what fails is an error of ours, in our words."""
    _silence_loggers()
    if _SILENCE not in warnings.filters:  # pytest and others put the filters back
        warnings.filterwarnings("ignore", category=Warning, module=_SILENCE[3].pattern)


@cache
def _silence_loggers() -> None:
    for name in (*_LIBRARIES, "nibabel.global"):  # which writes by a handler of its own
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@cache
def hush_gdcm() -> None:
    """Silence GDCM, which writes to the error stream by itself; it is imported for this."""
    try:
        import gdcm
    except ImportError:
        return
    for off in (gdcm.Trace.DebugOff, gdcm.Trace.WarningOff, gdcm.Trace.ErrorOff):
        off()
