"""The built-in corpus: a seeded generator of labelled emotional comments, any size."""

from goemo.data.sample.generator import BLOCKS, DEFAULT_ROWS, LEAST_ROWS, MOST_ROWS, RAREST_ROWS, generate

__all__ = ["BLOCKS", "DEFAULT_ROWS", "LEAST_ROWS", "MOST_ROWS", "RAREST_ROWS", "generate"]
