"""Inputs: addresses and file objects become timed packets of one video track and its audio tracks."""

from gpu_qa.sources.settings import SourceSettings
from gpu_qa.sources.source import Source, open_source

__all__ = ["Source", "SourceSettings", "open_source"]
