"""Labels: what is written in a cell, the names, what cannot be one."""
