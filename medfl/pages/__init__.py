"""What every page that we write has in common: it is self-contained, and looks the same."""
