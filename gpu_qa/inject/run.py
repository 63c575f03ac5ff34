"""Plants faults: reads a clip, changes what comes, writes the new clip and says what was done."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_qa import __version__
from gpu_qa.errors import ConfigError
from gpu_qa.inject.coded import SLICED
from gpu_qa.inject.picture import Picture
from gpu_qa.inject.reader import ClipReader, Sound
from gpu_qa.inject.sound import SoundLevel
from gpu_qa.inject.transport import first_time, rewrite
from gpu_qa.inject.truth import SCHEMA, PlantedFault, Truth
from gpu_qa.inject.writer import ClipWriter, Coding, container_of, pixel_formats, written_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_qa.inject.fault import Planting, Stage


@dataclass(frozen=True, slots=True)
class InjectSettings:
    """How a new clip is made."""

    coding: Coding = field(default_factory=Coding)
    seconds: float | None = None
    """Only so much of the clip; null is all of it."""
    height: int | None = None
    """Pictures with more rows are scaled down to so many; null keeps their size."""


class _Marks:
    """Where plantings really lie: from the first thing changed to the first one behind that is not."""

    def __init__(self) -> None:
        self._spans: dict[int, tuple[float, float]] = {}

    def mark(self, planting: Planting, start_s: float, end_s: float) -> None:
        """Something of this stretch was changed."""
        low, high = self._spans.get(id(planting), (start_s, end_s))
        self._spans[id(planting)] = (min(low, start_s), max(high, end_s))

    def extend(self, planting: Planting, end_s: float) -> None:
        """What was changed is missed until then, if anything was."""
        if span := self._spans.get(id(planting)):
            self.mark(planting, span[0], end_s)

    def planted(self, planting: Planting, duration_s: float) -> PlantedFault | None:
        """What was planted; null where nothing was."""
        fault = planting.fault
        span = self._spans.get(id(planting))
        if span is None:
            return None
        if fault.whole:
            span = (0.0, duration_s)
        elif fault.stage == "packets" and not fault.cuts:
            # Which packets are hit is chance; the stretch in which they are is what was asked for.
            span = (planting.start_s, min(planting.end_s, duration_s))
        start_s, end_s = span
        return PlantedFault(
            fault=fault.name,
            kind=fault.kind,
            start_s=round(start_s, 6),
            end_s=round(start_s if fault.instant else min(end_s, duration_s), 6),
            strength=planting.strength if fault.strength else None,
            unit=fault.strength.unit if fault.strength else "",
            seed=planting.seed,
            options=dict(planting.options),
        )


def inject(
    clip: str | Path,
    out: str | Path,
    plantings: Sequence[Planting] = (),
    settings: InjectSettings = InjectSettings(),
    *,
    on_progress: Callable[[float, float | None], None] | None = None,
) -> Truth:
    """Plant faults in a clip.

    Args:
        clip: A file; its first video and first audio track are used.
        out: The new file; `.mp4`, `.mov`, `.mkv` or `.ts` names its container.
        plantings: What is planted, in this order; none makes a clean copy.
        settings: How the new clip is coded and how much of the old one is used.
        on_progress: Is told now and then how many seconds are done, of how many where that is known.

    Raises:
        ConfigError: The faults do not fit the clip or the output, or lie behind its end.
        SourceError: The clip cannot be read.
        OutputError: The new clip cannot be written.
    """
    clip, out = Path(clip), Path(out)
    container = container_of(out)
    if out.exists() and clip.exists() and out.samefile(clip):
        raise ConfigError(f"{out}: is the clip itself")
    for planting in plantings:
        if planting.fault.stage in ("coding", "transport") and container != "mpegts":
            raise ConfigError(f"{planting.fault.name} is planted in a transport stream: the output must be a .ts file")
    reader = ClipReader(
        clip, pixel_formats(settings.coding.video_codec), seconds=settings.seconds, height=settings.height
    )
    _check(reader, plantings, clip, settings.coding.video_codec)
    with written_whole(out) as part:
        try:
            return _Run(reader, clip, out, part, container, plantings, settings, on_progress).run()
        finally:
            with contextlib.suppress(OSError):
                part.with_name(f"{part.name}.rewritten").unlink(missing_ok=True)


def _check(reader: ClipReader, plantings: Sequence[Planting], clip: Path, codec: str) -> None:
    """Refuse what cannot be planted in this clip."""
    facts = reader.facts
    for planting in plantings:
        fault = planting.fault
        track = planting.options.get("track")
        if facts.form is None and (
            fault.kind.startswith(("video.", "av."))
            or fault.stage in ("pictures", "coding", "transport")
            or track == "video"
        ):
            raise ConfigError(f"{fault.name}: {clip} has no picture")
        if facts.sound is None and (fault.kind.startswith(("audio.", "av.")) or track == "audio"):
            raise ConfigError(f"{fault.name}: {clip} has no sound")
        if fault.needs_slices and codec not in SLICED:
            raise ConfigError(f"{fault.name}: {codec} has no slices; use one of {', '.join(SLICED)}")
        channels = facts.sound.channels if facts.sound is not None else 0
        if facts.sound is not None and channels < fault.needs_channels:
            raise ConfigError(f"{fault.name}: the sound of {clip} has one channel only")
        channel = round(planting.number("channel")) if "channel" in planting.options else 0
        if channels and channel >= channels:
            raise ConfigError(f"{fault.name}: channel={channel}: the sound of {clip} has 0 to {channels - 1}")


class _Run:
    """One clip on its way."""

    def __init__(
        self,
        reader: ClipReader,
        clip: Path,
        out: Path,
        part: Path,
        container: str,
        plantings: Sequence[Planting],
        settings: InjectSettings,
        on_progress: Callable[[float, float | None], None] | None,
    ) -> None:
        self._reader, self._clip, self._out, self._part = reader, clip, out, part
        self._plantings, self._settings, self._on_progress = plantings, settings, on_progress
        facts = reader.facts
        self._marks = _Marks()
        self._pictures = [(planting, planting.fault.make(planting, facts.form)) for planting in self._of("pictures")]
        self._sounds: list[tuple[Planting, Any]] = [
            (planting, planting.fault.make(planting, facts.sound, self._level(planting)))
            for planting in self._of("sound")
        ]
        codec = settings.coding.video_codec
        packets = [(planting, planting.fault.make(planting, codec)) for planting in self._of("packets")]
        self._writer = ClipWriter(
            part,
            container,
            facts,
            settings.coding,
            coding_faults=[(planting, planting.fault.make(planting, facts.form)) for planting in self._of("coding")],
            packet_faults=packets,
            slices=max((fault.slices for _, fault in packets), default=0),
            top_field_first=self._top_field_first(),
            planted=self._marks.mark,
        )
        self._held: Picture | None = None
        self._shown_until_s = 0.0
        self._played = 0

    def _of(self, stage: Stage) -> list[Planting]:
        return [planting for planting in self._plantings if planting.fault.stage == stage]

    def _top_field_first(self) -> bool | None:
        """Which field of the new clip's pictures comes first; null where they are progressive."""
        form = self._reader.facts.form
        if form is not None and form.top_field_first is not None:
            return form.top_field_first
        return True if any(getattr(fault, "interlaced", False) for _, fault in self._pictures) else None

    def _level(self, planting: Planting) -> SoundLevel:
        if not planting.fault.needs_level:
            return SoundLevel(1.0)
        return self._reader.level(planting.start_s, planting.end_s)

    def run(self) -> Truth:
        """Read, change, write."""
        facts = self._reader.facts
        total_s = facts.duration_s
        if self._settings.seconds is not None:
            total_s = min(total_s or self._settings.seconds, self._settings.seconds)
        told_s = -1.0
        try:
            for item in self._reader:
                if isinstance(item, Picture):
                    self._take_picture(item)
                    at_s = item.at_s
                else:
                    self._take_sound(item)
                    at_s = told_s if facts.form or facts.sound is None else item.first / facts.sound.sample_rate
                if self._on_progress is not None and at_s >= told_s + 0.2:
                    told_s = at_s
                    self._on_progress(at_s, total_s)
            self._end_picture()
            self._writer.finish()
        except BaseException:
            self._writer.abandon()
            raise
        self._damage_transport()
        return self._truth()

    def _take_picture(self, picture: Picture) -> None:
        """A picture is changed once it is known until when it lasts."""
        if self._held is not None:
            self._change(self._held, picture.at_s)
        self._held = picture

    def _end_picture(self) -> None:
        if self._held is not None:
            self._change(self._held, self._held.at_s + float(1 / self._reader.facts.frame_rate))
            self._held = None

    def _change(self, picture: Picture, end_s: float) -> None:
        self._shown_until_s = end_s
        shown: Picture | None = picture
        for planting, fault in self._pictures:
            inside = planting.covers(picture.at_s + 1e-6)
            if inside:
                self._marks.mark(planting, picture.at_s, end_s)
            if shown is not None:
                shown = fault.take(shown, inside)
        for planting in self._of("coding"):
            if planting.covers(picture.at_s + 1e-6):
                self._marks.mark(planting, picture.at_s, end_s)
        if shown is not None:
            self._writer.show(shown)

    def _take_sound(self, sound: Sound) -> None:
        for part in self._cut(sound):
            self._play(part, self._sounds)

    def _play(self, sound: Sound, faults: Sequence[tuple[Planting, Any]]) -> None:
        """Let the faults at sound, each at what the one before it gives."""
        form = self._reader.facts.sound
        if form is None:
            return
        rate = form.sample_rate
        for planting, fault in faults:
            inside = planting.covers((sound.first + 0.5) / rate)
            samples = fault.take(sound.samples, sound.first, inside)
            if inside:
                self._marks.mark(planting, sound.first / rate, (sound.first + sound.samples.shape[1]) / rate)
            if planting.fault.moves:
                sound = Sound(fault.given - samples.shape[1], samples)
            else:
                sound = Sound(sound.first, samples)
        self._played = max(self._played, sound.first + sound.samples.shape[1])
        self._writer.play(sound)

    def _cut(self, sound: Sound) -> list[Sound]:
        """The sound in pieces that lie wholly inside or outside of each fault before those that move it."""
        form = self._reader.facts.sound
        if form is None or not self._sounds:
            return [sound]
        end = sound.first + sound.samples.shape[1]
        edges = {round(edge_s * form.sample_rate) for p, _ in self._sounds for edge_s in (p.start_s, p.end_s)}
        places = [sound.first, *sorted(edge for edge in edges if sound.first < edge < end), end]
        return [Sound(low, sound.samples[:, low - sound.first : high - sound.first]) for low, high in pairwise(places)]

    def _damage_transport(self) -> None:
        chosen = [(planting, planting.fault.make(planting)) for planting in self._of("transport")]
        if not chosen:
            return
        pid = self._writer.video_pid
        zero = first_time(self._part, pid)
        if zero is None:
            raise ConfigError(f"{self._clip}: has no picture to place faults of the transport stream by")
        for (planting, _), changed_s in zip(chosen, rewrite(self._part, chosen, pid, zero), strict=True):
            if changed_s is not None:
                start_s = changed_s if planting.fault.instant else planting.start_s
                self._marks.mark(planting, start_s, planting.end_s)

    def _truth(self) -> Truth:
        facts, form, sound = self._reader.facts, self._reader.facts.form, self._reader.facts.sound
        duration_s = self._shown_until_s
        if form is None and sound is not None:
            duration_s = self._played / sound.sample_rate
        faults = []
        for planting in self._plantings:
            if planting.fault.cuts and form is not None and planting.word("track") != "audio":
                self._marks.extend(planting, self._writer.key_pictures.get(planting.end_s, duration_s))
            planted = self._marks.planted(planting, duration_s)
            if planted is None:
                raise ConfigError(
                    f"{planting.fault.name} from {planting.start_s:g} to {planting.end_s:g} s: nothing was planted;"
                    f" {_why_nothing(planting, duration_s)}"
                )
            faults.append(planted)
        video_codec, audio_codec = self._writer.codecs
        return Truth(
            schema=SCHEMA,
            version=__version__,
            clip=self._clip.name,
            file=self._out.name,
            duration_s=round(duration_s, 6),
            width=form.width if form else None,
            height=form.height if form else None,
            frame_rate=round(float(facts.frame_rate), 6) if form else None,
            pixel_format=form.pixel_format if form else None,
            video_codec=video_codec,
            crf=self._settings.coding.quality if form else None,
            audio_codec=audio_codec,
            sample_rate=sound.sample_rate if sound else None,
            channel_layout=sound.layout if sound else None,
            faults=tuple(faults),
        )


def _why_nothing(planting: Planting, duration_s: float) -> str:
    if planting.start_s < duration_s:
        if planting.fault.needs_slices:
            return "every picture there is a key frame, and these are spared"
        if planting.fault.stage == "packets":
            return "no packet of its tracks begins there"
        if planting.fault.stage != "sound":
            return "no picture begins there"
    return f"the clip ends at {duration_s:.2f} s"
