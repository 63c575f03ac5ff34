"""On the card: the pictures of all streams that lie there are measured together, without one disturbing another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_qa.media import SkippedFrame

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from gpu_qa.features import MeasuredPicture
    from gpu_qa.features.device import DevicePictures
    from gpu_qa.reader import Delivery


class OnCard:
    """Measures what the readers deliver on cards. Belongs to the engine's thread."""

    def __init__(self) -> None:
        self._device: DevicePictures | None = None

    def measured(
        self, deliveries: Sequence[tuple[Hashable, Delivery]]
    ) -> dict[int, Sequence[MeasuredPicture] | Exception]:
        """Measure the pictures of a tick.

        Args:
            deliveries: Each with its stream; those of a stream in order.

        Returns:
            By `id` of a delivery with pictures on a card, their measures, or why there are none.
        """
        if self._device is None:
            if not any(delivery.frames for _, delivery in deliveries):
                return {}
            from gpu_qa.features.device import DevicePictures

            self._device = DevicePictures()
        found: dict[int, Sequence[MeasuredPicture] | Exception] = {}
        for together in _between_skips(deliveries, self._device):
            if _measure(self._device, together, found) is None:
                continue
            # Whose fault it is shows when each is measured by itself. The others lose what they are compared with.
            for one in together:
                error = _measure(self._device, [one], found)
                if error is not None:
                    found[id(one[1])] = error
        return found

    def forget(self, stream: Hashable) -> None:
        """A stream has ended."""
        if self._device is not None:
            self._device.forget(stream)


def _measure(
    device: DevicePictures,
    deliveries: Sequence[tuple[Hashable, Delivery]],
    found: dict[int, Sequence[MeasuredPicture] | Exception],
) -> Exception | None:
    """Measure deliveries in one go; gives what went wrong."""
    try:
        pictures = iter(device.measure([(stream, frame) for stream, one in deliveries for frame in one.frames]))
    except Exception as error:  # noqa: BLE001 - ends the streams that it concerns, not the engine
        return error
    for _, delivery in deliveries:
        found[id(delivery)] = [next(pictures) for _ in delivery.frames]
    return None


def _between_skips(
    deliveries: Sequence[tuple[Hashable, Delivery]], device: DevicePictures
) -> Iterator[list[tuple[Hashable, Delivery]]]:
    """Deliveries whose pictures can be measured together; `device` hears in time what was left out before them."""
    rest = list(deliveries)
    while rest:
        together, later = [], []
        begun, held = set[object](), set[object]()
        for stream, delivery in rest:
            skips = any(isinstance(picture, SkippedFrame) for picture in delivery.pictures)
            if stream in held or (skips and stream in begun):
                held.add(stream)
                later.append((stream, delivery))
                continue
            if skips:
                device.skip(stream)
            if delivery.frames:
                begun.add(stream)
                together.append((stream, delivery))
        if together:
            yield together
        rest = later
