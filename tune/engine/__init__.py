"""Ray: runs the trials of a search and stops some of them early."""
