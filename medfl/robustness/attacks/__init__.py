"""Links that let some clients attack, or fail as hospitals do."""
