"""Display of a running search: the progress view, the log, the consoles."""
