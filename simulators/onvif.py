"""A recorder behind ONVIF on loopback: WS-UsernameToken, Profile G search, clocks gone wrong."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

from simulators.archive import SimulatedChannel
from simulators.http_recorder import CommonFault, HttpRecorder, Sent

Fault = CommonFault
_KIND = "application/soap+xml; charset=utf-8"
_NAMES = {
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "tse": "http://www.onvif.org/ver10/search/wsdl",
    "trp": "http://www.onvif.org/ver10/replay/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
    "ter": "http://www.onvif.org/ver10/error",
}
_SERVICES = {
    "/onvif/media": "trt",
    "/onvif/media2": "tr2",
    "/onvif/search_service": "tse",
    "/onvif/replay": "trp",
}
_OPEN = frozenset({"GetSystemDateAndTime"})


@dataclass
class OnvifManners:
    """What this device makes of ONVIF (reference: devices that were reported).

    `utc_is_local`: it fills its UTC with local time, and checks signatures by real UTC.
    `strange_host` is what its addresses name instead of itself.
    """

    skew_seconds: float = 300
    utc_is_local: bool = False
    times_are_local: bool = False
    strange_host: str = "192.168.254.254:8080"
    services: bool = True
    searching_for_ever: bool = False
    repeats_batches: bool = False
    without_edges: bool = False
    transport_digest: bool = False
    fault_status: int = 400
    sources_from: int = 1
    batch_max: int = 50
    media2: bool = True
    replays: bool = True
    pictures: Literal["named", "empty", "absent"] = "named"
    names_streams: bool = True
    escapes_twice: bool = False


class OnvifSimulator(HttpRecorder):
    """A recorder of `channels`; `open_searches` are those nobody has ended."""

    def set_up(self) -> None:
        """Give it the manners of its firmware."""
        self.manners = OnvifManners()
        self._searches: dict[str, int] = {}

    @property
    def open_searches(self) -> int:
        """Return how many searches nobody has ended."""
        return len(self._searches)

    @property
    def has_own_login(self) -> bool:
        """Tell whether logins are inside the questions, not in front of them."""
        return not self.manners.transport_digest

    def answer(self, method: str, path: str, body: str) -> Sent:
        """Answer one envelope, or give a picture."""
        if method == "GET" and (asked := re.fullmatch(r"/snap/(\d+)\?proto=onvif", path)):
            return Sent(200, "image/jpeg", self.picture(int(asked[1])))
        said = _elements(body)
        name = said.get("Body", "")
        if method != "POST" or not name or not path.startswith("/onvif/"):
            return Sent(404, "text/html", b"<html>Not Found</html>")
        if name not in _OPEN:
            refused = self._check(said)
            if refused is not None:
                return refused
        found = self._document(name, path, said)
        if found is None:
            return self._fault("ter:ActionNotSupported", "Optional Action Not Implemented", 400)
        prefix = _SERVICES.get(path, "tds")
        inner = f"<{prefix}:{name}Response>{found}</{prefix}:{name}Response>"
        return Sent(200, _KIND, self._envelope(inner))

    def refusal(self) -> Sent:
        """Return the body of a 401 in front of the questions."""
        return Sent(401, "text/html", b"")

    def write_refused(self) -> Sent:
        """Refuse to be written to."""
        return Sent(405, "text/html", b"")

    def _envelope(self, inner: str) -> bytes:
        names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NAMES.items())
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" {names}>'
            f"<SOAP-ENV:Body>{inner}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
        ).encode()

    def _fault(self, sub: str, said: str, status: int) -> Sent:
        inner = (
            "<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:Sender</SOAP-ENV:Value>"
            f"<SOAP-ENV:Subcode><SOAP-ENV:Value>{sub}</SOAP-ENV:Value></SOAP-ENV:Subcode>"
            f'</SOAP-ENV:Code><SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">{said}'
            "</SOAP-ENV:Text></SOAP-ENV:Reason></SOAP-ENV:Fault>"
        )
        return Sent(status, _KIND, self._envelope(inner))

    def _check(self, said: dict[str, str]) -> Sent | None:
        """Check a UsernameToken (WS-Security 1.0): digest of nonce, time and password."""
        names = ("Username", "Password", "Nonce", "Created")
        given = {name: said[name] for name in names if name in said}
        if len(given) < 4 or self.door.lock_seconds_left() > 0:
            word = "login_while_locked" if len(given) == 4 else "unsigned"
            self.truth.record(self.device, word)
            return self._fault(
                "ter:NotAuthorized", "Sender not Authorized", self.manners.fault_status
            )
        created = datetime.strptime(given["Created"], "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007 - as signed
        late = abs((created - self._checked_utc()).total_seconds())
        nonce = base64.b64decode(given["Nonce"])
        secret = nonce + given["Created"].encode() + self.door.password.encode()
        right = base64.b64encode(hashlib.sha1(secret).digest()).decode()
        if given["Username"] == self.door.user and given["Password"] == right:
            if late <= self.manners.skew_seconds:
                self.door.failures = 0
                self.truth.record(self.device, "login_ok")
                return None
            self.truth.record(self.device, "wrong_time", seconds=late)
        else:
            self.door.failures += 1
            self.truth.record(self.device, "login_failed", failures=self.door.failures)
            if self.door.failures >= self.door.max_failures:
                self.door.lock_now()
        return self._fault("ter:NotAuthorized", "Sender not Authorized", self.manners.fault_status)

    def _checked_utc(self) -> datetime:
        """Return the UTC this device checks signatures by, naive."""
        return self.wall_clock() - timedelta(hours=self.zone_hours)

    # -- documents

    def _document(self, name: str, path: str, said: dict[str, str]) -> str | None:
        if name == "GetSystemDateAndTime":
            return self._date_and_time()
        if name == "GetDeviceInformation":
            return (
                "<tds:Manufacturer>General</tds:Manufacturer><tds:Model>NVR-SIM-G</tds:Model>"
                "<tds:FirmwareVersion>3.1.0.77</tds:FirmwareVersion>"
                "<tds:SerialNumber>SIM0003</tds:SerialNumber><tds:HardwareId>1</tds:HardwareId>"
            )
        if name in ("GetServices", "GetCapabilities"):
            return self._services(name)
        if path == "/onvif/search_service":
            return self._search(name, said)
        if path == "/onvif/replay":
            return self._replay(name, said)
        return self._media(name, _SERVICES.get(path, ""), said)

    def _media(self, name: str, prefix: str, said: dict[str, str]) -> str | None:
        """Answer Media and Media2, which differ in the words around the same things."""
        if name == "GetVideoSources" and prefix == "trt":
            return "".join(
                f'<trt:VideoSources token="VideoSource_{self._place(each)}">'
                "<tt:Framerate>25</tt:Framerate></trt:VideoSources>"
                for each in self.channels
            )
        if name == "GetProfiles" and prefix and self.manners.names_streams:
            return "".join(
                self._profile(prefix, self._place(each), stream)
                for each in self.channels
                for stream in (1, 0)
            )
        token = said.get("ProfileToken", "")
        if name == "GetSnapshotUri" and token.count("_") == 2:
            return self._picture_address(prefix, int(token.split("_")[1]))
        if name != "GetStreamUri" or said.get("Protocol") != "RTSP" or token.count("_") != 2:
            return None
        _, place, stream = token.split("_")
        number = int(place) + 1 - self.manners.sources_from
        host = self.manners.strange_host.partition(":")[0]
        query = f"channel={number}&subtype={stream}&unicast=true&proto=Onvif"
        uri = escape(f"rtsp://{host}:10554/cam/realmonitor?{query}")
        uri = escape(uri) if self.manners.escapes_twice else uri
        return (
            f"<tr2:Uri>{uri}</tr2:Uri>"
            if prefix == "tr2"
            else f"<trt:MediaUri><tt:Uri>{uri}</tt:Uri><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
        )

    def _picture_address(self, prefix: str, place: int) -> str | None:
        if self.manners.pictures == "absent":
            return None
        number = place + 1 - self.manners.sources_from
        uri = f"http://{self.manners.strange_host}/snap/{number}?proto=onvif"
        uri = "" if self.manners.pictures == "empty" else uri
        return (
            f"<tr2:Uri>{uri}</tr2:Uri>"
            if prefix == "tr2"
            else f"<trt:MediaUri><tt:Uri>{uri}</tt:Uri><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
        )

    def _profile(self, prefix: str, place: str, stream: int) -> str:
        """Describe a stream; the sub stream is named first, as some recorders do."""
        source = (
            f"<tt:Name>V</tt:Name><tt:SourceToken>VideoSource_{place}</tt:SourceToken>"
            '<tt:Bounds x="0" y="0" width="1920" height="1080"/>'
        )
        width, height = ((1920, 1080), (640, 360))[stream]
        coded = (
            f"<tt:Encoding>H265</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width>"
            f"<tt:Height>{height}</tt:Height></tt:Resolution>"
        )
        token = f"Profile_{place}_{stream}"
        if prefix == "tr2":
            inner = (
                f"<tr2:Configurations><tr2:VideoSource>{source}</tr2:VideoSource>"
                f"<tr2:VideoEncoder>{coded}</tr2:VideoEncoder></tr2:Configurations>"
            )
        else:
            inner = (
                f"<tt:VideoSourceConfiguration>{source}</tt:VideoSourceConfiguration>"
                f"<tt:VideoEncoderConfiguration>{coded}</tt:VideoEncoderConfiguration>"
            )
        return f'<{prefix}:Profiles token="{token}" fixed="true">{inner}</{prefix}:Profiles>'

    def _date_and_time(self) -> str:
        local = self.wall_clock()
        utc = local if self.manners.utc_is_local else self._checked_utc()
        said = "".join(
            f"<tt:{kind}><tt:Time><tt:Hour>{at.hour}</tt:Hour><tt:Minute>{at.minute}</tt:Minute>"
            f"<tt:Second>{at.second}</tt:Second></tt:Time><tt:Date><tt:Year>{at.year}</tt:Year>"
            f"<tt:Month>{at.month}</tt:Month><tt:Day>{at.day}</tt:Day></tt:Date></tt:{kind}>"
            for kind, at in (("UTCDateTime", utc), ("LocalDateTime", local))
        )
        return (
            "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings>"
            f"<tt:TimeZone><tt:TZ>CST-8</tt:TZ></tt:TimeZone>{said}</tds:SystemDateAndTime>"
        )

    def _services(self, name: str) -> str | None:
        host = f"http://{self.manners.strange_host}"
        if name == "GetCapabilities":
            return (
                f"<tds:Capabilities><tt:Media><tt:XAddr>{host}/onvif/media</tt:XAddr></tt:Media>"
                f"<tt:Extension><tt:Search><tt:XAddr>{host}/onvif/search_service</tt:XAddr>"
                f"</tt:Search><tt:Replay><tt:XAddr>{host}/onvif/replay</tt:XAddr></tt:Replay>"
                "</tt:Extension></tds:Capabilities>"
            )
        if not self.manners.services:
            return None
        paths = {"tds": "device_service", "trt": "media", "tse": "search_service"}
        paths |= {"tr2": "media2"} if self.manners.media2 else {}
        paths |= {"trp": "replay"} if self.manners.replays else {}
        return "".join(
            f"<tds:Service><tds:Namespace>{_NAMES[prefix]}</tds:Namespace>"
            f"<tds:XAddr>{host}/onvif/{path}</tds:XAddr>"
            "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
            for prefix, path in paths.items()
        )

    def _replay(self, name: str, said: dict[str, str]) -> str | None:
        """Name the address of a recording's replay."""
        token = said.get("RecordingToken", "")
        numbers = {f"Rec_{self._place(each)}": each.number for each in self.channels}
        if name != "GetReplayUri" or token not in numbers or not self.manners.replays:
            return None
        host = self.manners.strange_host.partition(":")[0]
        return f"<trp:Uri>rtsp://{host}:10554/replay/{numbers[token]}?proto=onvif</trp:Uri>"

    def _search(self, name: str, said: dict[str, str]) -> str | None:
        if name == "FindRecordings":
            token = secrets.token_hex(4)
            self._searches[token] = 0
            return f"<tse:SearchToken>{token}</tse:SearchToken>"
        token = said.get("SearchToken", "")
        if token not in self._searches:
            return None
        if name == "EndSearch":
            del self._searches[token]
            return "<tse:Endpoint>2026-01-01T00:00:00Z</tse:Endpoint>"
        if name != "GetRecordingSearchResults":
            return None
        size = min(int(said.get("MaxResults", "1")), self.manners.batch_max)
        at = 0 if self.manners.repeats_batches else self._searches[token]
        batch = self.channels[at : at + size]
        self._searches[token] = at + len(batch)
        ended = self._searches[token] >= len(self.channels)
        going = self.manners.searching_for_ever or not ended or self.manners.repeats_batches
        state: Literal["Searching", "Completed"] = "Searching" if going else "Completed"
        rows = "".join(self._recording(each) for each in batch)
        return f"<tse:ResultList><tt:SearchState>{state}</tt:SearchState>{rows}</tse:ResultList>"

    def _recording(self, each: SimulatedChannel) -> str:
        now = self.wall_clock()
        clips = list(each.held(now - timedelta(days=4000), now, now))
        shift = timedelta() if self.manners.times_are_local else timedelta(hours=self.zone_hours)

        def told(name: str, at: datetime) -> str:
            return f"<tt:{name}>{(at - shift).isoformat(timespec='seconds')}Z</tt:{name}>"

        edges = tracks = ""
        if clips:
            oldest, newest = clips[0].start, max(clip.end for clip in clips)
            if not self.manners.without_edges:
                edges = told("EarliestRecording", oldest) + told("LatestRecording", newest)
            tracks = (
                "<tt:Track><tt:TrackToken>VIDEO001</tt:TrackToken><tt:TrackType>Video"
                f"</tt:TrackType>{told('DataFrom', oldest)}{told('DataTo', newest)}</tt:Track>"
            )
        place = self._place(each)
        return (
            f"<tt:RecordingInformation><tt:RecordingToken>Rec_{place}</tt:RecordingToken>"
            f"<tt:Source><tt:SourceId>VideoSource_{place}</tt:SourceId>"
            f"<tt:Name>{each.name}</tt:Name><tt:Location/></tt:Source>{edges}"
            f"<tt:Content>main</tt:Content>{tracks}"
            "<tt:RecordingStatus>Recording</tt:RecordingStatus></tt:RecordingInformation>"
        )

    def _place(self, each: SimulatedChannel) -> str:
        return f"{each.number - 1 + self.manners.sources_from:03}"


def _elements(body: str) -> dict[str, str]:
    """Return texts by local name; `Body` is the local name of what it holds, "" without it."""
    try:
        root = fromstring(body)
    except ParseError:
        return {}
    found: dict[str, str] = {}
    for one in root.iter():
        local = one.tag.rpartition("}")[2]
        if local == "Body":
            found[local] = next((child.tag.rpartition("}")[2] for child in one), "")
        else:
            found.setdefault(local, (one.text or "").strip())
    return found
