"""Planning: how many machines a set of streams takes, and which detectors run where.

First fit, largest first: a stream goes to the first machine that has room for it in every resource. Where no single
process can carry a stream with all of its detectors, clones of it do, each decoding it again for some of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_qa.fleet.demand import CostModel, Demand, PlannedStream

MB_PER_GIB = 2**30 / 1e6


@dataclass(frozen=True, slots=True)
class Headroom:
    """How much of each resource may be planned for, 0…1; the rest is for bursts, restarts and what was not measured."""

    cpu: float = 0.7
    """Of all processors."""
    thread: float = 0.7
    """Of one processor, by the thread that judges a process's streams and by a stream's own thread."""
    memory: float = 0.85
    engines: float = 0.7
    """Of each decoding engine."""
    device_memory: float = 0.85

    def __post_init__(self) -> None:
        for name in ("cpu", "thread", "memory", "engines", "device_memory"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be more than 0 and at most 1")


@dataclass(frozen=True, slots=True)
class Job:
    """A stream, or one clone of it, with the detectors that it runs."""

    stream: PlannedStream
    detectors: tuple[str, ...]
    demand: Demand
    clone: int = 1
    clones: int = 1
    """How many share the stream's detectors; 1 has them all."""


@dataclass(slots=True)
class Process:
    """A process on a machine."""

    card: int | None
    """Number of the card that it uses; null uses none."""
    jobs: list[Job] = field(default_factory=list)
    judging: float = 0.0


@dataclass(slots=True)
class Place:
    """A machine that is being filled, or is planned."""

    processes: list[Process] = field(default_factory=list)
    cores: float = 0.0
    memory_mb: float = 0.0
    engines: list[list[float]] = field(default_factory=list)
    """Per card, the load of each engine, 1 = all of its time."""
    device_mb: list[float] = field(default_factory=list)
    """Per card."""

    @property
    def jobs(self) -> list[Job]:
        """Of all its processes."""
        return [job for process in self.processes for job in process.jobs]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A stream that this kind of machine cannot carry."""

    stream: PlannedStream
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything runs."""

    model: CostModel
    headroom: Headroom
    places: tuple[Place, ...]
    unplaced: tuple[Unplaced, ...]

    @property
    def usd_per_hour(self) -> float:
        """Of all machines."""
        return len(self.places) * self.model.machine.usd_per_hour

    @property
    def streams(self) -> int:
        """Streams that are placed, clones of one counted once."""
        return len({job.stream.name for place in self.places for job in place.jobs})

    @property
    def usd_per_stream_hour(self) -> float | None:
        """Null where nothing was placed."""
        return self.usd_per_hour / self.streams if self.streams else None

    @property
    def projected(self) -> bool:
        """Whether anything about the card is not measured."""
        return self.model.card is not None and not self.model.measured_card


class Planner:
    """Fills machines of one kind."""

    def __init__(self, model: CostModel, headroom: Headroom) -> None:
        self._model = model
        self._headroom = headroom
        machine = model.machine
        self._cores = machine.vcpus * headroom.cpu
        self._memory_mb = machine.memory_gib * MB_PER_GIB * headroom.memory
        self._device_mb = (machine.card_memory_gib if model.card else 0.0) * MB_PER_GIB * headroom.device_memory
        self._known: dict[PlannedStream, tuple[Job, ...] | str] = {}

    def plan(self, streams: Sequence[PlannedStream]) -> Plan:
        """Place the streams.

        Raises:
            ConfigError: A codec or detector whose cost is not known.
        """
        jobs: list[Job] = []
        unplaced: list[Unplaced] = []
        together: dict[str, list[Job]] = {}
        for stream in streams:
            found = self._jobs(stream)
            if isinstance(found, str):
                unplaced.append(Unplaced(stream, found))
            elif stream.reference is not None and len(found) == 1:
                together.setdefault(stream.reference, []).append(found[0])
            else:
                jobs += found
        places: list[Place] = []
        for group in together.values():
            unplaced += self._put_group(places, group)
        full: dict[tuple[Demand, int], int] = {}
        for job in sorted(jobs, key=lambda job: self._share(job.demand), reverse=True):
            # Of equal jobs, later ones need not look where an earlier one found no room.
            kind = (job.demand, job.stream.decoder_threads)
            number = next((i for i in range(full.get(kind, 0), len(places)) if self._put(places[i], job)), len(places))
            if number == len(places):
                places.append(self._empty())
                if not self._put(places[-1], job):
                    raise RuntimeError(f"{job.stream.name} fits no empty machine, but was to")
            full[kind] = number
        return Plan(self._model, self._headroom, tuple(places), tuple(unplaced))

    def capacity(self, stream: PlannedStream) -> tuple[int, str]:
        """How many such streams one machine carries, and what limits them; 0 with the reason where it carries none.

        Raises:
            ConfigError: A codec or detector whose cost is not known.
        """
        found = self._jobs(stream)
        if isinstance(found, str):
            return 0, found
        if len(found) > 1:
            return 0, f"needs {len(found)} processes for its detectors"
        place, count = self._empty(), 0
        while self._put(place, found[0]):
            count += 1
        return count, self.limit(place)[0]

    def load(self, place: Place) -> dict[str, float]:
        """How much of each resource is used, 0…1 of the whole; of engines, cards and threads the fullest."""
        machine, card = self._model.machine, self._model.card
        loads = {
            "CPU": place.cores / machine.vcpus,
            "memory": place.memory_mb / (machine.memory_gib * MB_PER_GIB),
            "judging thread": max((process.judging for process in place.processes), default=0.0),
        }
        if card is not None:
            loads["decoding engines"] = max(load for engines in place.engines for load in engines)
            loads["device memory"] = max(place.device_mb) / (machine.card_memory_gib * MB_PER_GIB)
        return loads

    def limit(self, place: Place) -> tuple[str, float]:
        """The resource that is nearest to what may be planned for, and how near, 0…1."""
        room = self._headroom
        allowed = {
            "CPU": room.cpu,
            "memory": room.memory,
            "decoding engines": room.engines,
            "device memory": room.device_memory,
        }
        # A full judging thread only means another process.
        near = {name: load / allowed[name] for name, load in self.load(place).items() if name in allowed}
        name = max(near, key=lambda name: near[name])
        return name, near[name]

    def _empty(self) -> Place:
        card, cards = self._model.card, self._model.machine.cards
        if card is None:
            return Place()
        return Place(engines=[[0.0] * card.engines for _ in range(cards)], device_mb=[0.0] * cards)

    def _put(self, place: Place, job: Job) -> bool:
        """Give a job a place in a process that runs already, or in a new one; false where there is no room."""
        need = job.demand
        if place.cores + need.cores > self._cores:
            return False
        for process in place.processes:
            if process.judging + need.judging <= self._headroom.thread and self._fits(place, process.card, need, 0.0):
                self._take(place, process, job)
                return True
        if place.memory_mb + need.memory_mb + self._model.base_mb > self._memory_mb:
            return False
        for card in range(len(place.engines)) if place.engines else (None,):
            if self._fits(place, card, need, self._model.device_base_mb):
                process = Process(card)
                place.processes.append(process)
                place.memory_mb += self._model.base_mb
                if card is not None:
                    place.device_mb[card] += self._model.device_base_mb
                self._take(place, process, job)
                return True
        return False

    def _put_group(self, places: list[Place], group: Sequence[Job]) -> list[Unplaced]:
        """Give a reference and what is laid over it a place in one process; gives back what it has no room for."""
        members = sorted(group, key=lambda job: job.stream.name != job.stream.reference)
        left: list[Unplaced] = []
        while members:
            for number, place in enumerate(places):
                filled = self._with_all(place, members)
                if filled is not None:
                    places[number] = filled
                    return left
            filled = self._with_all(self._empty(), members)
            if filled is not None:
                places.append(filled)
                return left
            last = members.pop()
            reason = f"must run in one process with its reference {last.stream.reference}, which has no room for it"
            left.append(Unplaced(last.stream, reason))
        return left

    def _with_all(self, place: Place, jobs: Sequence[Job]) -> Place | None:
        """The place with all of these jobs in one of its processes or a new one; null where there is no room."""
        cards: Sequence[int | None] = range(len(place.engines)) if place.engines else (None,)
        for number in range(len(place.processes) + len(cards)):
            trial = replace(
                place,
                processes=[replace(process, jobs=list(process.jobs)) for process in place.processes],
                engines=[list(engines) for engines in place.engines],
                device_mb=list(place.device_mb),
            )
            if number < len(place.processes):
                process = trial.processes[number]
            else:
                process = Process(cards[number - len(place.processes)])
                trial.processes.append(process)
                trial.memory_mb += self._model.base_mb
                if process.card is not None:
                    trial.device_mb[process.card] += self._model.device_base_mb
            if all(self._added(trial, process, job) for job in jobs):
                return trial
        return None

    def _added(self, place: Place, process: Process, job: Job) -> bool:
        """Give a job a place in a process; false where there is no room."""
        need = job.demand
        if place.cores + need.cores > self._cores or process.judging + need.judging > self._headroom.thread:
            return False
        if not self._fits(place, process.card, need, 0.0):
            return False
        self._take(place, process, job)
        return True

    def _fits(self, place: Place, card: int | None, need: Demand, base_mb: float) -> bool:
        if place.memory_mb + need.memory_mb > self._memory_mb:
            return False
        if card is None:
            return True
        lowest = min(place.engines[card])
        device_mb = place.device_mb[card] + base_mb + need.device_mb
        return lowest + need.engines <= self._headroom.engines and device_mb <= self._device_mb

    def _take(self, place: Place, process: Process, job: Job) -> None:
        need = job.demand
        process.jobs.append(job)
        process.judging += need.judging
        place.cores += need.cores
        place.memory_mb += need.memory_mb
        if process.card is not None:
            engines = place.engines[process.card]
            engines[engines.index(min(engines))] += need.engines
            place.device_mb[process.card] += need.device_mb

    def _jobs(self, stream: PlannedStream) -> tuple[Job, ...] | str:
        """The stream as one job, or as clones; a text says why it fits nowhere."""
        # Streams of one kind are looked at once.
        role = None if stream.reference is None else "" if stream.reference == stream.name else "another"
        kind = replace(stream, name="", reference=role)
        if kind not in self._known:
            self._known[kind] = self._split(kind)
        found = self._known[kind]
        return found if isinstance(found, str) else tuple(replace(job, stream=stream) for job in found)

    def _split(self, stream: PlannedStream) -> tuple[Job, ...] | str:
        whole = Job(stream, stream.detectors, self._model.demand(stream))
        if self._put(self._empty(), whole) and not self._why_thread(whole.demand, stream):
            return (whole,)
        shared = self._model.shared(stream)
        if reason := self._why_thread(shared, stream) or self._why(shared):
            return f"decoding and measuring it alone needs {reason}"
        if not stream.detectors:
            return f"needs {self._why(whole.demand)}"
        costs = {name: self._model.detector(stream, name) for name in stream.detectors}
        clones: list[tuple[list[str], Demand]] = []
        for name in sorted(costs, key=lambda name: costs[name].cores, reverse=True):
            for number, (names, demand) in enumerate(clones):
                if self._alone(demand + costs[name]):
                    clones[number] = ([*names, name], demand + costs[name])
                    break
            else:
                demand = shared + costs[name]
                if not self._alone(demand):
                    return f"the detector {name} alone needs {self._why(demand)}"
                clones.append(([name], demand))
        order = {name: i for i, name in enumerate(stream.detectors)}
        return tuple(
            Job(stream, tuple(sorted(names, key=order.__getitem__)), demand, i, len(clones))
            for i, (names, demand) in enumerate(clones, 1)
        )

    def _alone(self, demand: Demand) -> bool:
        return not self._why(demand)

    def _why(self, demand: Demand) -> str:
        """What an empty machine lacks for so much in one process; empty where it lacks nothing."""
        room, machine, card = self._headroom, self._model.machine, self._model.card
        if demand.cores > self._cores:
            return f"{demand.cores:.3f} cores, of {machine.vcpus} × {room.cpu:g} that may be used"
        if demand.judging > room.thread:
            return f"{demand.judging:.2f} of the thread that judges, of {room.thread:g} that may be used"
        if self._model.base_mb + demand.memory_mb > self._memory_mb:
            needed = self._model.base_mb + demand.memory_mb
            return f"{needed:.0f} MB of memory, of {self._memory_mb:.0f} that may be used"
        if card is not None and demand.engines > room.engines:
            return f"{demand.engines:.2f} decoding engines, of {room.engines:g} of one that may be used"
        if card is not None and self._model.device_base_mb + demand.device_mb > self._device_mb:
            needed = self._model.device_base_mb + demand.device_mb
            return f"{needed:.0f} MB on the card, of {self._device_mb:.0f} that may be used"
        return ""

    def _why_thread(self, demand: Demand, stream: PlannedStream) -> str:
        allowed = self._headroom.thread * stream.decoder_threads
        if demand.reading <= allowed:
            return ""
        return (
            f"{demand.reading:.3f} cores, of {allowed:g} that its {stream.decoder_threads} thread(s) may use: "
            "give it more with [decode] threads"
        )

    def _share(self, demand: Demand) -> float:
        """Of an empty machine, the largest share of any resource."""
        shares = [demand.cores / self._cores, demand.memory_mb / self._memory_mb]
        if self._model.card is not None:
            engines = self._model.card.engines * self._model.machine.cards * self._headroom.engines
            shares += [demand.engines / engines, demand.device_mb / (self._device_mb * self._model.machine.cards)]
        return max(shares)
