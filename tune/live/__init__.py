"""What a user sees while a search runs: the progress view, the log, the consoles."""
