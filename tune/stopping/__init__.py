"""Why and how a search ends early: budget, signals, hangs, a full disk."""
