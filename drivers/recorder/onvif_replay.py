"""Where the recordings behind ONVIF are replayed: their addresses hold no time, it is asked for."""

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from drivers.errors import BusyError, DeviceTimeoutError, ProtocolError, UnsupportedDeviceError
from drivers.readings import Reason, Unknown, unknown
from drivers.recorder.isapi import text
from drivers.recorder.onvif_search import Recording
from drivers.recorder.soap import REPLAY, Said
from drivers.recordings import PlaybackAddress

Ask = Callable[[str, str, str], Said]


class Replays:
    """Recordings by channel, as the last search gave them."""

    def __init__(self) -> None:
        self._found: list[tuple[int, Recording]] = []
        self._shift = timedelta()

    def learn(self, found: list[tuple[int, Recording]], shift: timedelta) -> None:
        """Take what a search gave; `shift` added to its digits is the recorder's wall clock."""
        self._found, self._shift = found, shift

    def address(self, ask: Ask, channel: int, start: datetime) -> PlaybackAddress | Unknown:
        """Ask where the recording of an instant is replayed (ONVIF Replay Control, GetReplayUri).

        A channel may have several recordings, by its streams or by what started them.
        """
        digits_at = start - self._shift
        tokens = [
            one.token
            for number, one in self._found
            if number == channel
            and one.oldest is not None
            and one.newest is not None
            and one.oldest <= digits_at <= one.newest
        ]
        if not tokens:
            return Unknown(reason=Reason.NOT_YET, detail="no recording of then has been listed")
        inner = (
            "<StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP"
            f"</tt:Protocol></tt:Transport></StreamSetup><RecordingToken>{escape(tokens[0])}"
            "</RecordingToken>"
        )
        try:
            uri = text(ask(REPLAY, "GetReplayUri", inner).root, "Uri") or ""
        except (BusyError, DeviceTimeoutError, ProtocolError, UnsupportedDeviceError) as error:
            return unknown(error)
        parts = urlsplit(uri.replace("&amp;", "&").replace(" ", "%20"))
        if parts.scheme != "rtsp" or not parts.path:
            return Unknown(reason=Reason.MALFORMED, detail=f"replay address {uri[:60]!r}")
        query = f"?{parts.query}" if parts.query else ""
        return PlaybackAddress(parts.path + query, digits_at, by_onvif=True)
