"""Headers: what a packet says of its pictures before anything decodes them.

A hardware decoder is made for one picture size and takes the next one for a smaller or larger version of it; the
sequence headers tell in time that it must be made anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gpu_qa.decode.bits import BitReader

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = b"\0\0\1"
_H264_SPS, _HEVC_SPS = 7, 33
_H264_PICTURES = frozenset({1, 2, 3, 4, 5, 20})
"""nal_unit_type of slices (ITU-T H.264, table 7-1)."""
_H264_CHROMA_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""profile_idc of those whose SPS tells chroma format and depth (ITU-T H.264, 7.3.2.1.1)."""
_DEPTH = re.compile(r"(?:p|gray|p0|p2|p4)(9|10|12|14|16)(?:le|be)?$")
"""Bits at the end of a pixel format's name."""
_SUBSAMPLING = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}
"""chroma_format_idc → SubWidthC, SubHeightC."""


class Header(NamedTuple):
    """The pictures that follow."""

    width: int
    """Luma samples, cropped."""
    height: int
    chroma: int
    """0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4 (chroma_format_idc)."""
    bit_depth: int


def picture_header(codec: str, data: bytes) -> Header | None:
    """The sequence header in a packet (H.264 and HEVC in Annex B form); null where there is none that makes sense."""
    read = {
        "h264": _h264,
        "hevc": _hevc,
        "mpeg1video": _mpeg2,
        "mpeg2video": _mpeg2,
        "vp8": _vp8,
        "vp9": _vp9,
        "av1": _av1,
    }.get(codec)
    header = read(data) if read is not None else None
    return header if header is not None and header.width > 0 and header.height > 0 else None


def length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of the length in front of each NAL unit of H.264 and HEVC; 0 where start codes separate them (Annex B).

    Codec parameters that begin with 1 are an avcC or hvcC record (ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1).
    """
    if not extradata or extradata[0] != 1:
        return 0
    if codec == "h264" and len(extradata) >= 7:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) >= 23:
        return (extradata[21] & 3) + 1
    return 0


def has_picture(codec: str, data: bytes, length_size: int) -> bool:
    """Whether a packet holds a picture or part of one, as opposed to parameter sets and filler; true where unknown."""
    if codec == "h264":
        return any(nal[0] & 31 in _H264_PICTURES for nal in _nals(data, length_size))
    if codec == "hevc":
        return any(nal[0] >> 1 & 63 < 32 for nal in _nals(data, length_size))
    return True


def probed_header(context: Any) -> Header:
    """What the container says of the pictures, until a header tells better."""
    name = context.pix_fmt or "yuv420p"
    depth = _DEPTH.search(name)
    chroma = (
        0 if name.startswith("gray") else 3 if "444" in name or name.startswith("gbr") else 2 if "422" in name else 1
    )
    return Header(context.width or 1280, context.height or 720, chroma, int(depth[1]) if depth else 8)


def kept_parameters(codec: str, extradata: bytes) -> bytes:
    """The parameter sets that a container keeps, as they would stand before a key frame; empty where there are none."""
    if codec == "av1":
        # configOBUs of the av1C record (AV1 codec ISO media file format binding, 2.3).
        return extradata[4:] if extradata[:1] == b"\x81" else b""
    return extradata if extradata.startswith((b"\0\0\1", b"\0\0\0\1")) else b""


def _nals(data: bytes, length_size: int) -> Iterator[bytes]:
    """The first bytes of each NAL unit, enough for a parameter set."""
    if length_size:
        at = 0
        while at + length_size < len(data):
            size = int.from_bytes(data[at : at + length_size], "big")
            at += length_size
            if size:
                yield data[at : at + min(size, 512)]
            at += size
        return
    at = data.find(_START)
    while 0 <= at < len(data) - 3:
        end = data.find(_START, at + 3)
        yield data[at + 3 : min(at + 515, end if end >= 0 else len(data))]
        at = end


def _payload(nal: bytes, header_bytes: int) -> BitReader:
    """The unit's content without its header and emulation prevention (ITU-T H.264, 7.4.1)."""
    return BitReader(nal[header_bytes:].replace(b"\0\0\3", b"\0\0"))


def _h264(data: bytes) -> Header | None:
    """ITU-T H.264, 7.3.2.1.1 (sequence parameter set)."""
    for nal in _nals(data, 0):
        if nal[0] & 31 != _H264_SPS:
            continue
        bits = _payload(nal, 1)
        profile = bits.u(8)
        bits.skip(16)
        bits.ue()  # seq_parameter_set_id
        chroma, depth = 1, 8
        if profile in _H264_CHROMA_PROFILES:
            chroma = bits.ue()
            if chroma == 3:
                bits.skip(1)  # separate_colour_plane_flag
            depth = 8 + bits.ue()
            bits.ue()  # bit_depth_chroma_minus8
            bits.skip(1)  # qpprime_y_zero_transform_bypass_flag
            if bits.flag():
                for i in range(12 if chroma == 3 else 8):
                    if bits.flag():
                        _skip_scaling_list(bits, 16 if i < 6 else 64)
        bits.ue()  # log2_max_frame_num_minus4
        order = bits.ue()
        if order == 0:
            bits.ue()  # log2_max_pic_order_cnt_lsb_minus4
        elif order == 1:
            bits.skip(1)  # delta_pic_order_always_zero_flag
            bits.se()  # offset_for_non_ref_pic
            bits.se()  # offset_for_top_to_bottom_field
            for _ in range(min(bits.ue(), 255)):
                bits.se()  # offset_for_ref_frame
        bits.ue()  # max_num_ref_frames
        bits.skip(1)  # gaps_in_frame_num_value_allowed_flag
        across, down = bits.ue() + 1, bits.ue() + 1
        frames_only = bits.u(1)
        if not frames_only:
            bits.skip(1)  # mb_adaptive_frame_field_flag
        bits.skip(1)  # direct_8x8_inference_flag
        crop = [bits.ue() for _ in range(4)] if bits.flag() else [0] * 4
        if bits.exhausted or chroma > 3:
            return None
        unit_x, unit_y = _SUBSAMPLING[chroma]
        width = 16 * across - unit_x * (crop[0] + crop[1])
        height = (2 - frames_only) * (16 * down - unit_y * (crop[2] + crop[3]))
        return Header(width, height, chroma, depth)
    return None


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    """ITU-T H.264, 7.3.2.1.1.1."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _hevc(data: bytes) -> Header | None:
    """ITU-T H.265, 7.3.2.2 (sequence parameter set)."""
    for nal in _nals(data, 0):
        if nal[0] >> 1 & 63 != _HEVC_SPS:
            continue
        bits = _payload(nal, 2)
        bits.skip(4)  # sps_video_parameter_set_id
        layers = bits.u(3)
        bits.skip(1 + 88 + 8)  # temporal nesting; profile_tier_level's general part
        present = [(bits.flag(), bits.flag()) for _ in range(layers)]
        if layers:
            bits.skip(2 * (8 - layers))
        for profile, level in present:
            bits.skip(88 * profile + 8 * level)
        bits.ue()  # sps_seq_parameter_set_id
        chroma = bits.ue()
        if chroma == 3:
            bits.skip(1)  # separate_colour_plane_flag
        width, height = bits.ue(), bits.ue()
        crop = [bits.ue() for _ in range(4)] if bits.flag() else [0] * 4
        depth = 8 + bits.ue()
        if bits.exhausted or chroma > 3:
            return None
        unit_x, unit_y = _SUBSAMPLING[chroma]
        return Header(width - unit_x * (crop[0] + crop[1]), height - unit_y * (crop[2] + crop[3]), chroma, depth)
    return None


def _mpeg2(data: bytes) -> Header | None:
    """ITU-T H.262, 6.2.2.1 (sequence_header) and 6.2.2.3 (sequence_extension), which MPEG-1 has not."""
    at = data.find(b"\0\0\1\xb3")
    if at < 0:
        return None
    bits = BitReader(data[at + 4 : at + 7])
    width, height, chroma = bits.u(12), bits.u(12), 1
    at = data.find(b"\0\0\1\xb5", at)
    if at >= 0 and data[at + 4 : at + 5] and data[at + 4] >> 4 == 1:
        bits = BitReader(data[at + 4 : at + 10])
        bits.skip(4 + 8 + 1)
        chroma = bits.u(2) or 1
        width |= bits.u(2) << 12
        height |= bits.u(2) << 12
    return Header(width, height, chroma, 8)


def _vp8(data: bytes) -> Header | None:
    """RFC 6386, 9.1 (uncompressed data chunk)."""
    if len(data) < 10 or data[0] & 1 or data[3:6] != b"\x9d\x01\x2a":
        return None
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return Header(width & 0x3FFF, height & 0x3FFF, 1, 8)


def _vp9(data: bytes) -> Header | None:
    """VP9 bitstream specification 0.6, 6.2 (uncompressed_header)."""
    bits = BitReader(data[:24])
    if bits.u(2) != 2:
        return None
    profile = bits.u(1) | bits.u(1) << 1
    if profile == 3:
        bits.skip(1)
    if bits.flag() or bits.flag():  # show_existing_frame, frame_type: not a key frame
        return None
    bits.skip(2)  # show_frame, error_resilient_mode
    if bits.u(24) != 0x498342:
        return None
    depth = (12 if bits.flag() else 10) if profile >= 2 else 8
    chroma = 1
    if bits.u(3) == 7:  # CS_RGB
        chroma = 3
        bits.skip(1 if profile & 1 else 0)
    else:
        bits.skip(1)  # color_range
        if profile & 1:
            chroma = {(1, 0): 2, (0, 0): 3}.get((bits.u(1), bits.u(1)), 2)
            bits.skip(1)
    return Header(bits.u(16) + 1, bits.u(16) + 1, chroma, depth)


def _av1(data: bytes) -> Header | None:
    """AV1 bitstream specification, 5.3 (OBU) and 5.5 (sequence_header_obu)."""
    at = 0
    while at < len(data):
        kind, extended, sized = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
        at += 1 + extended
        size = len(data) - at
        if sized:
            size, shift = 0, 0
            while at < len(data) and shift < 56:
                size |= (data[at] & 127) << shift
                shift += 7
                at += 1
                if not data[at - 1] & 128:
                    break
        if kind == 1:
            return _av1_sequence(BitReader(data[at : at + size]))
        at += size
    return None


def _av1_sequence(bits: BitReader) -> Header | None:
    profile = bits.u(3)
    bits.skip(1)  # still_picture
    reduced = bits.flag()
    if reduced:
        bits.skip(5)  # seq_level_idx
    else:
        _skip_av1_operating_points(bits)
    across, down = bits.u(4) + 1, bits.u(4) + 1
    width, height = bits.u(across) + 1, bits.u(down) + 1
    if not reduced and bits.flag():
        bits.skip(7)  # frame id lengths
    bits.skip(3)
    if not reduced:
        bits.skip(4)
        order = bits.flag()
        if order:
            bits.skip(2)
        tools = 2 if bits.flag() else bits.u(1)  # seq_force_screen_content_tools
        if tools and not bits.flag():
            bits.skip(1)
        if order:
            bits.skip(3)
    bits.skip(3)  # superres, cdef, restoration
    high = bits.flag()
    depth = 12 if profile == 2 and high and bits.flag() else 10 if high else 8
    grey = profile != 1 and bits.flag()
    if bits.exhausted:
        return None
    # Profile 2 with 12 bits may be any subsampling; hardware decodes none of it.
    chroma = 0 if grey else {0: 1, 1: 3}.get(profile, 2)
    return Header(width, height, chroma, depth)


def _skip_av1_operating_points(bits: BitReader) -> None:
    """From timing_info_present_flag to the last operating point."""
    delay_bits = 0
    if bits.flag():
        bits.skip(64)  # num_units_in_display_tick, time_scale
        if bits.flag():
            bits.ue()  # num_ticks_per_picture_minus_1
        if bits.flag():
            delay_bits = bits.u(5) + 1
            bits.skip(32 + 5 + 5)
    display_delay = bits.flag()
    for _ in range(bits.u(5) + 1):
        bits.skip(12)
        if bits.u(5) > 7:
            bits.skip(1)  # seq_tier
        if delay_bits and bits.flag():
            bits.skip(2 * delay_bits + 1)
        if display_delay and bits.flag():
            bits.skip(4)
