"""Pictures as coded loops, H.264 or H.265: what simulated cameras send."""

from fractions import Fraction
from typing import Literal, NamedTuple

import av

from simulators.scenes import Draw

Codec = Literal["h264", "hevc"]
# nal_unit_type of the parameter sets: ITU-T H.264 table 7-1, H.265 table 7-1.
SETS = {"h264": (7, 8), "hevc": (32, 33, 34)}
OPTIONS = {
    "h264": {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0", "threads": "1"},
    "hevc": {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x265-params": "scenecut=0:bframes=0:pools=1:frame-threads=1:log-level=none",
    },
}
ENCODERS: dict[Codec, Literal["libx264", "libx265"]] = {"h264": "libx264", "hevc": "libx265"}


LOOP_FRAMES = 50


class Clip(NamedTuple):
    """A loop of coded frames: each a list of NAL units without start codes, the first an IDR."""

    frames: tuple[tuple[bytes, ...], ...]
    sets: tuple[bytes, ...]
    codec: Codec
    fps: int
    gop_frames: int

    def annex_b(self) -> bytes:
        """Return the loop as a raw stream with start codes (annex B of both standards)."""
        return b"".join(b"\x00\x00\x00\x01" + nal for frame in self.frames for nal in frame)


def nal_type(nal: bytes, codec: Codec) -> int:
    """Return a unit's nal_unit_type (H.264 section 7.3.1, H.265 section 7.3.1.2)."""
    return nal[0] & 0x1F if codec == "h264" else (nal[0] >> 1) & 0x3F


def encode(
    draw: Draw,
    width: int,
    height: int,
    *,
    fps: int = 25,
    gop_frames: int = 25,
    kbps: int = 600,
    frames: int = LOOP_FRAMES,
    codec: Codec = "h264",
) -> Clip:
    """Draw and code a few frames: closed GOPs, no B frames, so that they can loop."""
    encoder = av.VideoCodecContext.create(ENCODERS[codec], "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.gop_size = Fraction(fps), gop_frames
    encoder.bit_rate = kbps * 1000
    encoder.options = OPTIONS[codec]
    packets = []
    for index in range(frames):
        frame = av.VideoFrame.from_ndarray(draw(index, width, height), format="bgr24")
        frame.pts = index
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    coded = tuple(_nal_units(bytes(packet)) for packet in packets)
    heads = {nal_type(nal, codec): nal for nal in coded[0]}
    sets = tuple(heads[kind] for kind in SETS[codec])
    return Clip(coded, sets, codec, fps, gop_frames)


def _nal_units(annex_b: bytes) -> tuple[bytes, ...]:
    units = annex_b.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01")
    return tuple(unit for unit in units if unit)
