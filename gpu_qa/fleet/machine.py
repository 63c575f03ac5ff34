"""Machines that can be rented, the cards in them, and their prices: a table that is data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_qa.config import checked, read_toml, shown, unknown
from gpu_qa.decode import rates
from gpu_qa.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICES = Path(__file__).with_name("machines.toml")
_PUBLISHED = "NVIDIA's NVDEC application note"
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?")
_PRODUCT_NAME = Path("/sys/class/dmi/id/product_name")
"""Where a virtual machine of EC2 finds its instance type (Nitro)."""


@dataclass(frozen=True, slots=True)
class Card:
    """A card and what its decoding engines do."""

    name: str = ""
    engines: int = 1
    """NVDEC units. One stream never spans two."""
    frames_per_s: dict[str, float] = field(default_factory=dict)
    """Codec, `hevc_10bit` for HEVC Main 10 → pictures of 1920×1080 that one engine decodes per second at full load."""
    source: str = ""

    def __post_init__(self) -> None:
        if not self.engines > 0:
            raise ValueError("must be more than 0")
        if not all(rate > 0 for rate in self.frames_per_s.values()):
            raise ValueError("must all be more than 0")


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that can be rented."""

    name: str = ""
    usd_per_hour: float = 0.0
    vcpus: int = 1
    """As the provider counts them."""
    memory_gib: float = 1.0
    card: str | None = None
    """Name of the card in it."""
    cards: int = 0
    """How many of them."""
    card_memory_gib: float = 0.0
    """Of each card."""
    region: str = ""
    date: str = ""
    """When the price was looked up, `YYYY-MM` or `YYYY-MM-DD`."""
    source: str = ""
    """Where the price is from."""

    def __post_init__(self) -> None:
        if self.usd_per_hour < 0:
            raise ValueError("must be 0 or more")
        if not (self.vcpus > 0 and self.memory_gib > 0):
            raise ValueError("must be more than 0")
        if self.cards < 0 or self.card_memory_gib < 0:
            raise ValueError("must be 0 or more")
        if self.date and not _DATE.fullmatch(self.date):
            raise ValueError("must be YYYY-MM or YYYY-MM-DD")


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Machines and cards by their names."""

    machines: Mapping[str, Machine]
    cards: Mapping[str, Card]

    def machine(self, name: str) -> Machine:
        """The machine of that name.

        Raises:
            ConfigError: There is none.
        """
        if name not in self.machines:
            raise ConfigError(f"{unknown('machine', name, self.machines)}; --prices FILE adds others")
        return self.machines[name]

    def card_of(self, machine: Machine) -> Card | None:
        """The card in a machine; null where it has none."""
        return self.cards[machine.card] if machine.card is not None and machine.cards else None


def load_prices(own: str | Path | None = None) -> PriceTable:
    """The table that comes with the package, with the rows of a file of one's own added or in the place of its rows.

    Raises:
        ConfigError: The file cannot be read, or holds a key that nothing knows, or a row that lacks something, has a
            value of the wrong type or out of range, or a card that no row describes.
    """
    machines: dict[str, Machine] = {}
    cards = {
        card.name: Card(
            card.name,
            card.engines,
            {"h264": card.rates.h264, "hevc": card.rates.hevc, "hevc_10bit": card.rates.hevc_10bit},
            f"{_PUBLISHED}, {card.generation}",
        )
        for card in rates.cards()
    }
    for path in (PRICES, own):
        if path is None:
            continue
        content = read_toml(path)
        for key in content:
            if key not in ("machines", "cards"):
                raise ConfigError(f"{path}: {unknown('key', key, ('machines', 'cards'))}")
        cards |= {card.name: card for card in _rows(content, "cards", Card(), path)}
        found = _rows(content, "machines", Machine(), path)
        for machine in found:
            given = {machine.card is not None, machine.cards > 0, machine.card_memory_gib > 0}
            if len(given) > 1:
                words = "card, cards and card_memory_gib must all be given, or none of them"
                raise ConfigError(f"{path}: machine {machine.name}: {words}")
            if machine.card is not None and machine.card not in cards:
                raise ConfigError(f"{path}: machine {machine.name}: {unknown('card', machine.card, cards)}")
        machines |= {machine.name: machine for machine in found}
    return PriceTable(machines, cards)


_REQUIRED: dict[type, tuple[str, ...]] = {
    Card: ("name", "engines", "frames_per_s", "source"),
    Machine: ("name", "usd_per_hour", "vcpus", "memory_gib", "region", "date", "source"),
}


def _rows(content: Mapping[str, Any], key: str, empty: Any, path: str | Path) -> list[Any]:
    rows = content.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path}: {key} = {shown(rows)}: must be tables, each headed by [[{key}]]")
    found = []
    for number, row in enumerate(rows, 1):
        name = row.get("name")
        where = f"{path}: [[{key}]] {name if isinstance(name, str) and name else number}"
        missing = [item for item in _REQUIRED[type(empty)] if row.get(item) in (None, "")]
        if missing:
            raise ConfigError(f"{where}: lacks {', '.join(missing)}")
        known = [item.name for item in fields(empty)]
        for item in row:
            if item not in known:
                raise ConfigError(f"{where}: {unknown('key', item, known)}")
        filled = empty
        for item, value in row.items():  # one by one, so that what is wrong is told of that one
            filled = checked(filled, {item: value}, f"{where}:")
        found.append(filled)
    return found


def this_machine(prices: PriceTable) -> Machine | None:
    """The row of the machine that this runs on, where it tells its name and the table has it."""
    try:
        name = _PRODUCT_NAME.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return prices.machines.get(name)
