"""How well each detector finds planted faults, and how often it speaks where nothing is wrong.

python -m benchmarks.detectors                     # synthesised clips
python -m benchmarks.detectors --clips DIR         # clips of your own
python -m benchmarks.detectors --sweep freeze,blur # what other limits would have found
"""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
# From a bare checkout the kernels are a second root.
if str(_ROOT / "kernels") not in sys.path and (_ROOT / "kernels").is_dir():
    sys.path.append(str(_ROOT / "kernels"))
