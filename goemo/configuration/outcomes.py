"""Outcomes of a trial that can still be ranked."""

# Reasons to stop, as in the records: any other is a failure.
RANKED = ("completed", "stopped_early")
