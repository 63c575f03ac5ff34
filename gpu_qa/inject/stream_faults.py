"""Faults of the stream that can be planted, in coded packets, transport or timestamps, and how strong they are."""

from __future__ import annotations

from gpu_qa.inject import coded, recoded, shifted, transport
from gpu_qa.inject.fault import Case, Fault, Option, Strength, levels

__all__ = ["STREAM_FAULTS"]

STREAM_FAULTS: tuple[Fault, ...] = (
    Fault(
        name="resize",
        kind="stream.format_change",
        stage="coding",
        summary="the stream goes on with pictures of another size",
        make=recoded.Resize,
        strength=Strength("their width and height", "of the former", 0.1, 4.0, 0.5),
        cases=levels(0.75, 0.5),
    ),
    Fault(
        name="aspect",
        kind="stream.format_change",
        stage="coding",
        summary="the stream goes on with another sample aspect ratio, the pictures as they are",
        make=recoded.Aspect,
        strength=Strength("width of a sample", "of its former one", 0.25, 4.0, 4 / 3),
        cases=levels(4 / 3),
    ),
    Fault(
        name="packet_loss",
        kind="video.block_corruption",
        stage="packets",
        summary="coded pictures, other than key frames, arrive with wrong bytes or without some of their slices",
        make=coded.PacketLoss,
        needs_slices=True,
        strength=Strength("pictures that are hit", "of all", 0.005, 1.0, 0.25),
        options=(Option("how", "what happens", "bytes", ("bytes", "slices")),),
        cases=(Case(0.25, {"how": "slices"}), *levels(0.05, 0.25)),
    ),
    Fault(
        name="transport_loss",
        kind="video.block_corruption",
        stage="transport",
        summary="packets of the transport stream are lost; its continuity counter shows it",
        make=transport.TransportLoss,
        strength=Strength("the picture's packets that are lost", "of all", 0.0005, 0.9, 0.02),
        cases=levels(0.005, 0.02, 0.1),
    ),
    Fault(
        name="missing",
        kind="audio.missing",
        stage="packets",
        summary="the sound does not arrive while the picture goes on",
        make=coded.Missing,
    ),
    Fault(
        name="gap",
        kind="stream.gap",
        stage="packets",
        summary="nothing arrives while the clock runs on",
        make=coded.Missing,
        options=(Option("track", "what does not arrive", "both", ("both", "video", "audio")),),
        cuts=True,
    ),
    Fault(
        name="discontinuity",
        kind="stream.discontinuity",
        stage="transport",
        summary="timestamps and clock reference of the transport stream jump",
        make=transport.Discontinuity,
        strength=Strength("the jump; negative is back", "s", -90_000.0, 90_000.0, 60.0),
        cases=levels(-2.0, 60.0),
        instant=True,
    ),
    Fault(
        name="shift",
        kind="stream.discontinuity",
        stage="transport",
        summary="timestamps of one track of the transport stream jump, and what is in it goes on",
        make=transport.Shift,
        strength=Strength("the jump; negative is back", "s", -10.0, 10.0, 0.3),
        options=(Option("track", "whose timestamps", "audio", ("audio", "video")),),
        cases=(*levels(-0.3, 0.12, 1.0), Case(0.3, {"track": "video"})),
        instant=True,
    ),
    Fault(
        name="av_offset",
        kind="av.offset",
        stage="sound",
        summary="the sound is early against the picture, throughout the clip",
        make=shifted.Shift,
        moves=True,
        strength=Strength("how early; negative is late", "s", -5.0, 5.0, 0.2),
        cases=levels(-0.2, 0.2),
        whole=True,
    ),
    Fault(
        name="av_drift",
        kind="av.drift",
        stage="sound",
        summary="the sound becomes earlier and earlier against the picture, throughout the clip",
        make=shifted.Drift,
        moves=True,
        strength=Strength("by how much; negative is later", "ms per minute", -5000.0, 5000.0, 200.0),
        cases=levels(500.0),
        whole=True,
    ),
)
