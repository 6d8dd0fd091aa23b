"""Jobs -> candidates: who retrains a line's model, and when."""
