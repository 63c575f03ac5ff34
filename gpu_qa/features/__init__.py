"""Features: frames and samples → series. The only stage that calls the kernels."""

from gpu_qa.features.picture import HostPictures, MeasuredPicture, is_on_device
from gpu_qa.features.prepare import prepare
from gpu_qa.features.sound import Heard, HostSound, MeasuredSound
from gpu_qa.features.stream import Measured, StreamFeatures
from gpu_qa.features.timeline import Timeline, TimelineSettings

__all__ = [
    "Heard",
    "HostPictures",
    "HostSound",
    "Measured",
    "MeasuredPicture",
    "MeasuredSound",
    "StreamFeatures",
    "Timeline",
    "TimelineSettings",
    "is_on_device",
    "prepare",
]
