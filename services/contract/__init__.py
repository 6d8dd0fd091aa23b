"""What every room agrees on: messages, names and settings. Imports nothing else of ours."""
