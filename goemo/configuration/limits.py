"""Bounds that the harness and the engine share; nothing heavy is imported for them."""

# Gigabytes (1e9 bytes) of a frozen encoder's output; what needs more is computed in every step instead.
PREFIX_LIMIT_GB = 20.0
