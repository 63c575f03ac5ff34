"""Measurements of speed and memory; `README.md` says how they are made and what counts as a result."""
