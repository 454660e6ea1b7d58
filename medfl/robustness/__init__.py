"""Rules of combination that withstand bad updates."""
