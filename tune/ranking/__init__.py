"""Ranking of trials and how sure it is: leaderboard, comparison, confirmation, importance."""
