"""What carries Loupe: the embedded stack on one machine, container files."""
