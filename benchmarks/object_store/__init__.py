"""The same detectors twice: frames through an object store between small services, and frames in one process."""
