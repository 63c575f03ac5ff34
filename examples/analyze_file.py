"""Analyze a file and print what is wrong with it.

python examples/analyze_file.py film.mp4
"""

import sys

import gpu_qa

report = gpu_qa.analyze(sys.argv[1])
for event in report.events:
    print(f"{event.start_s:9.3f} s  {event.severity:8}  {event.kind:20}  {event.message}")
print(f"{report.measurements['integrated_lufs']} LUFS, {report.measurements['frame_rate']} frames/s")
sys.exit(report.exit_code)
