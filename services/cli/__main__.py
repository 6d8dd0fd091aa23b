"""`python -m services.cli` is `loupe`."""

from services.cli import main

main()
