"""How a trial may end and still be ranked."""

# Reasons to stop, as in the records: any other is a failure.
RANKED = ("completed", "stopped_early")
