"""Prices: a table that is data, and the machine's price from the fleet's table."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_qa.fleet.machine import load_prices

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICES = Path(__file__).with_name("prices.toml")
MACHINE_H = "machine_h"
MACHINE_VCPUS = "machine_vcpus"


@dataclass(frozen=True, slots=True)
class Price:
    """What one of something costs."""

    usd: float
    per: str
    """Of what."""
    date: str
    """When it was looked up, `YYYY-MM`."""
    source: str


def price_table(path: Path = PRICES) -> dict[str, Price]:
    """The services' prices by name."""
    with path.open("rb") as file:
        return {name: Price(**row) for name, row in tomllib.load(file).items()}


def prices(machine: str, own: Mapping[str, float]) -> dict[str, float]:
    """USD by name.

    Args:
        machine: Name of the machine that the one process runs on; `gpu_qa/fleet/machines.toml` has them.
        own: Prices that replace those of the tables.

    Raises:
        ValueError: A price that the tables do not have.
        ConfigError: A machine that they do not have.
    """
    rented = load_prices().machine(machine)
    found = {name: price.usd for name, price in price_table().items()}
    found |= {MACHINE_H: rented.usd_per_hour, MACHINE_VCPUS: float(rented.vcpus)}
    unknown = [name for name in own if name not in found]
    if unknown:
        raise ValueError(f"price {unknown[0]!r}: known are {', '.join(found)}")
    return found | dict(own)
