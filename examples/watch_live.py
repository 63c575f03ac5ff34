"""Watch a live input and print every event the moment it opens, becomes worse or closes, until Ctrl-C.

python examples/watch_live.py udp://127.0.0.1:5004
"""

import dataclasses
import signal
import sys

import gpu_qa

settings = gpu_qa.Settings(source=gpu_qa.SourceSettings(read_timeout_s=60.0)).select(
    ["freeze", "black", "audio.silence"]
)
# The same for one detector: a freeze is told after one second instead of two.
freeze = settings.detectors["freeze"]
quick = dataclasses.replace(freeze, timing=dataclasses.replace(freeze.timing, raise_after_s=1.0))
settings = dataclasses.replace(settings, detectors={**settings.detectors, "freeze": quick})

analysis = gpu_qa.Analysis(sys.argv[1], settings)
signal.signal(signal.SIGINT, lambda *_: analysis.stop())
for event in analysis:
    print(f"{event.state:6}  {event.start_s:9.3f} s  {event.severity:8}  {event.kind}: {event.message}", flush=True)
report = analysis.report()
print(report.error or f"watched {report.measurements['analyzed_s']} s")
sys.exit(report.exit_code)
