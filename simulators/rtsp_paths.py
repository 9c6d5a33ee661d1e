"""What an RTSP address of a simulated recorder asks for, in the words of both makers."""

import re
from datetime import datetime
from typing import NamedTuple

# Hikvision: /Streaming/Channels/<channel>0<stream>, /Streaming/tracks/<channel>01/?starttime=…
_HIK_LIVE = re.compile(r"/Streaming/Channels/(\d+)0([12])(?:[/?]|$)")
_HIK_PAST = re.compile(r"/Streaming/tracks/(\d+)0([12])/?(?:\?|$)")
_HIK_TIME = "%Y%m%dT%H%M%SZ"
# Dahua: /cam/realmonitor?channel=<channel>&subtype=<stream>, /cam/playback?…
# ONVIF replay: the address is each maker's own, the time comes with PLAY.
_REPLAY = re.compile(r"/replay/(\d+)\?")
_DAHUA = re.compile(r"/cam/(realmonitor|playback)\?")
_DAHUA_TIME = "%Y_%m_%d_%H_%M_%S"


class Asked(NamedTuple):
    """A channel's stream; with `start` what was recorded then, by the recorder's wall clock."""

    channel: int
    sub: bool
    start: datetime | None = None
    end: datetime | None = None
    tells_span: bool = False  # Dahua's answer names no clock
    replay: bool = False


def read_address(uri: str) -> Asked | None:
    """Read an address; None where it is of no stream."""
    if live := _HIK_LIVE.search(uri):
        return Asked(int(live[1]), live[2] == "2")
    if replay := _REPLAY.search(uri):
        return Asked(int(replay[1]), sub=False, tells_span=True, replay=True)
    words = {name.lower(): value for name, value in re.findall(r"[?&](\w+)=([\w:-]+)", uri)}
    if past := _HIK_PAST.search(uri):
        start, end = (_instant(words.get(name, ""), _HIK_TIME) for name in ("starttime", "endtime"))
        return Asked(int(past[1]), past[2] == "2", start, end, tells_span=True) if start else None
    if (dahua := _DAHUA.search(uri)) and words.get("channel", "").isdecimal():
        asked = Asked(int(words["channel"]), words.get("subtype", "0") != "0")
        if dahua[1] == "realmonitor":
            return asked
        start, end = (
            _instant(words.get(name, ""), _DAHUA_TIME) for name in ("starttime", "endtime")
        )
        return asked._replace(start=start, end=end) if start else None
    return None


def _instant(digits: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(digits.upper(), form)  # noqa: DTZ007 - the recorder's own clock
    except ValueError:
        return None
