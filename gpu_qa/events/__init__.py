"""Events: evidence → events, with one hysteresis for all kinds."""

from gpu_qa.events.causes import CauseState, explain, settle
from gpu_qa.events.tracker import TrackerState, finish, track

__all__ = ["CauseState", "TrackerState", "explain", "finish", "settle", "track"]
