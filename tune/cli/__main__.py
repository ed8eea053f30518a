"""`python -m tune.cli`."""

from tune.cli import main

main()
