"""Who is best, and how sure is that: leaderboard, comparison, confirmation, importance."""
