"""Training: data preparation, the loop, one file per stage."""
