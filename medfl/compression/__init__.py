"""Links that make messages smaller."""
