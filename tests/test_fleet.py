"""The price table and what streams need of a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gpu_qa.bench.formats import Format, parse_format, parse_formats
from gpu_qa.config import Settings
from gpu_qa.errors import ConfigError, SourceError
from gpu_qa.fleet import machine as machine_module
from gpu_qa.fleet.demand import DEVICE_MB_PER_STREAM, CostModel, Demand
from gpu_qa.fleet.machine import load_prices, this_machine
from gpu_qa.fleet.planned import planned_streams
from gpu_qa.sources import SourceSettings
from gpu_qa.streams import StreamEntry
from tests.clips import cached_clip
from tests.costs_builder import CARD, costs, format_cost, rented, stream, with_cards

if TYPE_CHECKING:
    from pathlib import Path

OWN = """
[[machines]]
name = "rack"
usd_per_hour = 0.11
vcpus = 16
memory_gib = 64
card = "X9"
cards = 2
card_memory_gib = 16
region = "cellar"
date = "2026-10-01"
source = "invoice"

[[cards]]
name = "X9"
engines = 2
frames_per_s = { h264 = 600 }
source = "own measurement"
"""


def test_the_table_says_where_every_number_is_from() -> None:
    prices = load_prices()
    assert prices.machine("g6.xlarge").card == "L4"
    assert {"c7i.xlarge", "g4dn.xlarge", "p5en.48xlarge"} <= set(prices.machines)
    for machine in prices.machines.values():
        assert machine.usd_per_hour > 0
        assert machine.source
        assert machine.date >= "2026"
        card = prices.card_of(machine)
        assert (card is None) == (machine.cards == 0)
    for card in prices.cards.values():
        assert card.source
        assert set(card.frames_per_s) == {"h264", "hevc", "hevc_10bit"}


def test_a_table_of_ones_own_adds_and_replaces(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    cheaper = OWN.replace('"rack"', '"g6.xlarge"')
    own.write_text(OWN + cheaper[: cheaper.index("[[cards]]")], encoding="utf-8")

    prices = load_prices(own)

    rack = prices.machine("rack")
    assert (rack.usd_per_hour, rack.vcpus, rack.cards) == (0.11, 16, 2)
    assert prices.card_of(rack) == prices.cards["X9"]
    assert prices.cards["X9"].frames_per_s == {"h264": 600.0}
    assert prices.machine("g6.xlarge").card == "X9"
    assert prices.machine("c7i.xlarge").card is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("usd_per_hour = 0.11", "usd_per_hour = -1"), r"machines\]\] rack: usd_per_hour = -1.*0 or more"),
        (("usd_per_hour = 0.11\n", ""), r"rack: lacks usd_per_hour"),
        (('region = "cellar"', 'region = ""'), r"rack: lacks region"),
        (("vcpus = 16", 'vcpus = "many"'), r"rack: vcpus = \"many\".*integer"),
        (("vcpus = 16", "vcpu = 16\nvcpus = 16"), r"rack: unknown key 'vcpu' \(did you mean vcpus\?\)"),
        (("2026-10-01", "October"), r"rack: .*YYYY-MM"),
        (('card = "X9"', 'card = "X8"'), r"rack: unknown card 'X8'; known: .*X9"),
        (("cards = 2\n", ""), r"rack: card, cards and card_memory_gib"),
        (("h264 = 600", "h264 = 0"), r"cards\]\] X9: .*more than 0"),
        (("[[cards]]", "[[card]]"), r"unknown key 'card' \(did you mean cards\?\)"),
        (("[[machines]]", "[machines]"), r"machines = a table: must be tables"),
        (('name = "rack"\n', ""), r"\[\[machines\]\] 1: lacks name"),
    ],
)
def test_a_wrong_table_is_refused_with_the_place(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(OWN.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"prices\.toml: .*{message}"):
        load_prices(own)


def test_an_unknown_machine_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown machine 'g6.xlarg' \(did you mean g6\.xlarge\?\).*--prices"):
        load_prices().machine("g6.xlarg")


def test_a_machine_of_ec2_knows_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = load_prices()
    product = tmp_path / "product_name"
    monkeypatch.setattr(machine_module, "_PRODUCT_NAME", product)
    assert this_machine(prices) is None
    product.write_text("g6.xlarge\n", encoding="utf-8")
    assert this_machine(prices) == prices.machine("g6.xlarge")
    product.write_text("Standard PC\n", encoding="utf-8")
    assert this_machine(prices) is None


# --- formats --------------------------------------------------------------------------------------------------------


def test_formats_are_spelled_short() -> None:
    assert parse_format("h264:1080p25") == Format("h264", 1920, 1080, parse_format("h264:1080p25").frame_rate)
    assert (parse_format("H265:720p29.97").codec, parse_format("hevc:720p50").width) == ("hevc", 1280)
    assert str(parse_format("av1:2048x858p24")) == "av1:2048x858p24"
    assert [str(one) for one in parse_formats("h264:480p25, h264:480p25,avc:64x36p5")] == [
        "h264:854x480p25",
        "h264:64x36p5",
    ]


@pytest.mark.parametrize("text", ["", "1080p25", "h264", "h264:1080", "h264:0p25", "h264:1080p0", "h264:axbp25", ","])
def test_what_is_no_format_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"h264:1080p25|more than 0"):
        parse_formats(text)


# --- what a stream needs --------------------------------------------------------------------------------------------


def test_demand_is_the_sum_of_its_parts() -> None:
    model = CostModel(costs(), rented(), None)
    demand = model.demand(stream())
    # 25 pictures of 0.5 + 6 + 1 ms and 4 ms of sound in the reader; of 0.3 + 0.6 ms, 3 + 2 ms a second in the judge.
    assert demand.reading == pytest.approx(0.1915)
    assert demand.judging == pytest.approx(0.0275)
    assert demand.cores == pytest.approx(0.219)
    assert demand.memory_mb == 30
    assert (demand.engines, demand.device_mb) == (0, 0)
    assert model.demand(stream(), ("silence",)).judging == pytest.approx(0.0275 - 0.015)
    assert model.demand(stream(sound_tracks=0)).reading == pytest.approx(0.1875)


def test_demand_follows_rate_size_speed_and_overhead() -> None:
    model = CostModel(costs(format_cost(overhead=1.1)), rented(), None, cpu_speed=2.0)
    base = CostModel(costs(), rented(), None).demand(stream(sound_tracks=0), ())
    assert model.demand(stream(sound_tracks=0), ()).cores == pytest.approx(base.cores * 1.1 / 2)
    double = CostModel(costs(), rented(), None).demand(stream(sound_tracks=0, frame_rate=50.0), ())
    assert double.cores == pytest.approx(2 * base.cores)
    large = CostModel(costs(), rented(), None).demand(stream(sound_tracks=0, width=3840, height=2160), ())
    assert large.reading == pytest.approx(4 * base.reading)
    assert large.judging == pytest.approx(base.judging)  # the grid of tiles has one size
    assert large.memory_mb == 120


def test_the_nearest_measured_size_counts() -> None:
    model = CostModel(costs(format_cost(), format_cost(size=(1280, 720)), format_cost("hevc")), rented(), None)
    assert model.nearest(stream(width=1440, height=810)).width == 1280
    assert model.nearest(stream(width=1600, height=1000)).width == 1920
    assert model.nearest(stream(codec="hevc", width=640, height=360)).codec == "hevc"
    assert any("scaled by pixels from 1280×720" in remark for remark in model.remarks([stream(width=640, height=360)]))
    with pytest.raises(ConfigError, match=r"one: no cost was measured for vp9, only for h264, hevc; .*--formats vp9:"):
        model.demand(stream(codec="vp9"))
    with pytest.raises(ConfigError, match=r"no cost was measured for the detector blur, only for freeze, black"):
        model.demand(stream(detectors=("blur",)))


def test_a_card_takes_decoding_and_measuring_off_the_cpu() -> None:
    model = CostModel(costs(), with_cards(), CARD)
    demand = model.demand(stream(), ())
    assert demand.reading == pytest.approx(0.0125 + 0.004)
    assert demand.engines == pytest.approx(25 / 600)
    assert demand.device_mb == DEVICE_MB_PER_STREAM
    assert model.demand(stream(codec="h264", width=3840, height=2160)).engines == pytest.approx(100 / 600)
    assert not model.measured_card
    assert any("a projection, not measured" in remark for remark in model.remarks([stream()]))


def test_what_a_card_has_no_figure_for_counts_on_the_cpu() -> None:
    model = CostModel(costs(format_cost(), format_cost("av1")), with_cards(), CARD)
    demand = model.demand(stream(codec="av1"))
    assert demand.engines == 0
    assert demand.reading == pytest.approx(0.1915)
    assert any("no figure for the X9; counted on the CPU" in one for one in model.remarks([stream(codec="av1")]))
    on_card = CostModel(costs(format_cost("av1"), device="cuda", gpu="X9, 595"), with_cards(), CARD)
    with pytest.raises(ConfigError, match="measured on a card"):
        on_card.demand(stream(codec="av1"))


@pytest.mark.parametrize(
    ("gpu", "measured"), [("NVIDIA X9, 595.1", True), ("NVIDIA X9-SXM, 1", True), ("NVIDIA X9S, 595.1", False)]
)
def test_costs_of_the_same_card_are_no_projection(gpu: str, measured: bool) -> None:
    model = CostModel(costs(format_cost(device_mb=64.0), device="cuda", gpu=gpu), with_cards(), CARD)
    assert model.measured_card == measured
    demand = model.demand(stream(), ())
    assert demand.device_mb == 64
    assert demand.reading == pytest.approx(0.0125 + 0.15 + 0.004)  # the card's decoder takes the processor's time too
    assert demand.judging == pytest.approx(0.025 + 0.0075 + 0.003)


def test_demands_add() -> None:
    assert Demand(1, 2, 3, 4, 5, 6) + Demand(1, 1, 1, 1, 1, 1) == Demand(2, 3, 4, 5, 6, 7)


# --- streams of a file ----------------------------------------------------------------------------------------------


def entry(name: str = "a", **changes: Any) -> StreamEntry:
    return StreamEntry(name, "nowhere.ts", **changes)


def test_stated_facts_need_no_input() -> None:
    stated: dict[str, Any] = {
        "codec": "h265",
        "width": 1280,
        "height": 720,
        "frame_rate": parse_format("x:2p50").frame_rate,
    }
    silent = Settings(source=SourceSettings(audio_tracks=()))
    one, two = planned_streams([entry("a", **stated), entry("b", **stated, settings=silent)])
    assert (one.codec, one.width, one.height, one.frame_rate, one.sound_tracks) == ("hevc", 1280, 720, 50.0, 1)
    assert "silence" in one.detectors
    assert two.sound_tracks == 0
    assert "silence" not in two.detectors
    assert "freeze" in two.detectors


def test_what_is_assumed_fills_what_is_not_stated() -> None:
    (one,) = planned_streams([entry(width=640, height=480)], assume=parse_format("h264:1080p30"))
    assert (one.codec, one.width, one.height, one.frame_rate) == ("h264", 640, 480, 30.0)


def test_inputs_are_looked_at(tmp_path: Path) -> None:
    clip = cached_clip("plan.mp4", seconds=1, size=(96, 64))
    (one,) = planned_streams([StreamEntry("a", str(clip))])
    assert (one.codec, one.width, one.height, one.bit_depth) == ("h264", 96, 64, 8)
    assert one.frame_rate == 25.0


def test_an_input_that_cannot_be_looked_at_is_told_with_what_helps() -> None:
    def fails(entry: StreamEntry) -> Any:
        raise SourceError("nowhere.ts: connection refused")

    with pytest.raises(ConfigError, match=r"a: nowhere.ts: connection refused; .*state codec.*--assume"):
        planned_streams([entry()], look=fails)


def test_a_reference_is_known_by_those_that_name_it() -> None:
    entries = [
        StreamEntry("cdn", "cdn.ts", Settings(), reference="studio"),
        StreamEntry("studio", "studio.ts", Settings()),
        StreamEntry("other", "other.ts", Settings()),
    ]
    planned = planned_streams(entries, assume=parse_format("h264:1080p25"))
    assert [one.reference for one in planned] == ["studio", "studio", None]
