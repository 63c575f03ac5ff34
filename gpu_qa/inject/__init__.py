"""Inject: plants known faults in a clip, and says what was planted where.

For whoever wants to know whether an alarm chain works, and for the benchmark of the detectors. A fault is a row of
`FAULTS` and a class that changes pictures, sound, coded packets or the transport stream; `inject` reads a clip, lets
them do so, and writes a new clip and a `Truth`.
"""

from gpu_qa.inject.fault import Case, Fault, Option, Planting, Strength
from gpu_qa.inject.registry import FAULTS, parse_planting
from gpu_qa.inject.run import InjectSettings, inject
from gpu_qa.inject.truth import PlantedFault, Truth, truth_json

__all__ = [
    "FAULTS",
    "Case",
    "Fault",
    "InjectSettings",
    "Option",
    "PlantedFault",
    "Planting",
    "Strength",
    "Truth",
    "inject",
    "parse_planting",
    "truth_json",
]
