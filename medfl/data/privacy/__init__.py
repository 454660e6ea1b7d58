"""The people in the files: pseudonyms for their names, and nothing of theirs in any output."""
