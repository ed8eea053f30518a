"""Early ends of a search: budget, signals, hangs, a full disk."""
