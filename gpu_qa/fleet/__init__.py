"""Sizing a fleet: machines and their prices, what streams need, how many machines they take and what that costs."""

from pathlib import Path

DEFAULT_COSTS = Path(__file__).with_name("measured") / "cpu.json"
"""What `gpu-qa bench` measured where the package was made; the file names the machine, the day and the commit."""
