"""Good pictures (and later verdicts) in, model versions out: synthesis, losses, stages, evaluation, calibration."""
