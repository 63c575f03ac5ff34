"""The other side: everything in one process. Run alone in a process, warmed up, it prints JSON.

python -m benchmarks.object_store.one_process CLIP WARM_UP DETECTOR…
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from benchmarks.sides import measured, settings

if TYPE_CHECKING:
    import gpu_qa


def main(arguments: list[str]) -> int:
    """Warm up on one clip, measure on the other."""
    import gpu_qa

    clip, warm_up, *detectors = arguments
    chosen = settings("cpu").select(detectors)
    reports: list[gpu_qa.Report] = []

    def run(path: str) -> int:
        report = gpu_qa.analyze(path, chosen)
        if report.error is not None:
            raise RuntimeError(report.error)
        reports.append(report)
        return int(report.measurements["frames_decoded"])

    run(warm_up)
    found = measured(run, clip)
    events = [
        {"kind": event.kind, "start_s": event.start_s, "end_s": event.end_s, "value": event.value}
        for event in reports[-1].events
    ]
    print(json.dumps({**found, "events": events}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
