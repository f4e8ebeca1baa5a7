"""Baselines: plain models of the same rows, in the same base measure, and compressors."""
