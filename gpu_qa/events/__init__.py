"""Events: evidence → events, with one hysteresis for all kinds."""

from gpu_qa.events.tracker import TrackerState, finish, track

__all__ = ["TrackerState", "finish", "track"]
