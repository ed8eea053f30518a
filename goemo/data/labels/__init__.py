"""Labels: the parsing of cells, the names, and what cannot be a label."""
