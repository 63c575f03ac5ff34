"""Measuring this machine: what decoding, measuring and judging cost, and how many streams it carries in real time."""
