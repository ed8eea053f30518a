"""Ray: the trials of a search, where they run and who is stopped early."""
