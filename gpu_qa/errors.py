"""Every error the package raises on purpose. A message says what happened, to what, and what helps."""


class GpuQaError(Exception):
    """Base of all errors that a caller may want to catch in one clause."""


class ConfigError(GpuQaError):
    """A setting is unknown, of the wrong type or out of range."""


class SourceError(GpuQaError):
    """An input cannot be opened or read: missing, unreachable, refused, or not a media file."""


class SourceTimeout(SourceError):  # noqa: N818 - reads as what it is
    """An input did not open, or stopped delivering, within its time limit."""


class DecodeError(GpuQaError):
    """A stream cannot be decoded at all; single damaged packets are notes, not errors."""


class DeviceError(GpuQaError):
    """A device that was asked for is missing or unusable."""


class AdmissionError(GpuQaError):
    """A stream is refused because this machine has no room for it; the others go on."""


class OutputError(GpuQaError):
    """A result cannot be written, such as on a full disk."""
