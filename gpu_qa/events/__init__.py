"""Events: evidence → events, with one hysteresis for all kinds."""

from gpu_qa.events.causes import CauseState, awaiting, explain, settle
from gpu_qa.events.tracker import TrackerState, finish, track

__all__ = ["CauseState", "TrackerState", "awaiting", "explain", "finish", "settle", "track"]
