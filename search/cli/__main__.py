"""``python -m search.cli``: the same as the command `marsearch`."""

from search.cli import main

main()
