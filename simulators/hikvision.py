"""A Hikvision recorder on loopback: ISAPI with digest, lockout, calendars, search, bad manners."""

import re
from datetime import date, timedelta
from typing import Literal

from simulators import hikvision_search
from simulators.archive import SimulatedDisk
from simulators.http_recorder import CommonFault, HttpRecorder, Sent

Fault = (
    CommonFault
    | Literal[
        "busy",  # 503 with deviceBusy
        "device_error",  # 500 with deviceError
        "status_with_200",  # ResponseStatus notSupport under HTTP 200
        "low_privilege",  # 403 lowPrivilege
        "empty_days",  # a calendar without days
    ]
)
Calendar = Literal[
    "right",
    "off",  # the firmware has none
    "all_false",  # it has one that knows of no recording
    "same_for_all",  # it does not look at the track it is asked for
]
# Seen in the field, even mixed inside one reply (mezz64/pyHik#57, #48, #64, #132).
NAMESPACES = {
    "isapi": ("http://www.isapi.org/ver20/XMLSchema",),
    "hikvision": ("http://www.hikvision.com/ver20/XMLSchema",),
    "psia": ("urn:psialliance-org",),
    "none": (),
    "mixed": ("http://www.hikvision.com/ver20/XMLSchema", "urn:ISAPIlliance-org"),
}


_XML = 'application/xml; charset="UTF-8"'
_PICTURE = re.compile(r"/ISAPI/(.+)/channels/(\d+)01/picture")
_REFUSALS = {
    "busy": (503, 2, "Device Busy", "deviceBusy"),
    "device_error": (500, 3, "Device Error", "deviceError"),
    "low_privilege": (403, 4, "Invalid Operation", "lowPrivilege"),
    "status_with_200": (200, 4, "Invalid Operation", "notSupport"),
}


class HikvisionSimulator(HttpRecorder):
    """A Hikvision recorder; `days` gives channels by number and depth."""

    def set_up(self) -> None:
        """Give it the manners of its firmware."""
        self.namespace = "isapi"
        # Which of the two addresses of a picture this firmware answers.
        self.pictures: Literal["Streaming", "ContentMgmt/StreamingProxy", "neither"] = "Streaming"
        self.calendar: Calendar = "right"
        self.search = hikvision_search.SearchManners()
        self.allow_channel_list = True
        self.disks = [SimulatedDisk("hdd1")]
        self.zone_text = "\nCST-8:00:00\n"
        self.expiry_days = 0
        self.recording_mode = "CMR"
        self.gb28181: dict[str, str] | None = {
            "enabled": "true",
            "serverAddress": "10.1.1.1",
            "serverID": "34020000002000000001",
            "deviceID": "34020000001180000001",
            "registerStatus": "online",
        }

    @property
    def busy(self) -> bool:
        """Whether every question gets a 503."""
        return self.fault == "busy"

    @busy.setter
    def busy(self, busy: bool) -> None:
        self.fault = "busy" if busy else None

    def answer(self, method: str, path: str, body: str) -> Sent:
        """Answer a question of somebody who is logged in."""
        if not self.allow_channel_list and "InputProxy" in path:
            return self.spoiled("low_privilege", Sent(200, _XML, b""))
        if asked := _PICTURE.fullmatch(path):
            return self._picture(asked[1], int(asked[2]))
        found = self.document(method, path, body)
        if found is None:
            return Sent(404, "text/html", b"<!DOCTYPE html><html><body>Not Found")
        status, text = found if isinstance(found, tuple) else (200, found)
        return Sent(status, _XML, text.encode())

    def _picture(self, service: str, number: int) -> Sent:
        """Give a picture at the one address that works (mezz64/pyHik#119)."""
        channel = next((each for each in self.channels if each.number == number), None)
        if service != self.pictures or channel is None:
            return Sent(400, _XML, self.status(6, "Invalid Content", "badXmlContent").encode())
        if not channel.online:
            return self.spoiled("device_error", Sent(200, _XML, b""))
        return Sent(200, "image/jpeg", self.picture(number) + bytes(16))

    def refusal(self) -> Sent:
        """Return the body of a 401."""
        return Sent(401, _XML, self._user_check(401, "Unauthorized").encode())

    def write_refused(self) -> Sent:
        """Refuse to be written to."""
        text = self.status(4, "Invalid Operation", "methodNotAllowed")
        return Sent(403, _XML, text.encode())

    def spoiled(self, fault: str, sent: Sent) -> Sent:
        """Return what a fault makes of an answer."""
        if fault in _REFUSALS:
            status, code, word, sub = _REFUSALS[fault]
            return Sent(status, _XML, self.status(code, word, sub).encode())
        if fault == "empty_days":
            return sent._replace(body=re.sub(b"<day>.*</day>", b"", sent.body))
        return sent

    # -- documents

    def attributes(self) -> str:
        """Return the root's version and namespace as this firmware writes them."""
        names = NAMESPACES[self.namespace]
        return 'version="2.0"' + (f' xmlns="{names[0]}"' if names else "")

    def inner(self) -> str:
        """Return the namespace of a child, which a mixed firmware writes anew."""
        names = NAMESPACES[self.namespace]
        return f' xmlns="{names[1]}"' if len(names) > 1 else ""

    def document(self, method: str, path: str, body: str) -> str | tuple[int, str] | None:
        """Return the XML for a question, with its status if not 200; None: it has nothing."""
        if method == "GET" and path == "/ISAPI/Security/userCheck":
            return self._user_check(200, "OK")
        if method == "GET" and path == "/ISAPI/System/deviceInfo":
            return (
                f"<DeviceInfo {self.attributes()}><deviceName>school</deviceName>"
                f"<model{self.inner()}>DS-7616NI-SIM</model><serialNumber>SIM0001</serialNumber>"
                "<firmwareVersion>V4.62.210</firmwareVersion>"
                "<firmwareReleasedDate>build 230612</firmwareReleasedDate>"
                "<deviceType>IPC</deviceType></DeviceInfo>"
            )
        if method == "GET" and path == "/ISAPI/System/time":
            wall = self.wall_clock().isoformat(timespec="seconds")
            return (
                f"<Time {self.attributes()}><timeMode>NTP</timeMode>"
                f"<localTime{self.inner()}>{wall}+08:00</localTime>"
                f"<timeZone>{self.zone_text}</timeZone></Time>"
            )
        if method == "GET" and path == "/ISAPI/ContentMgmt/InputProxy/channels":
            return self._channel_list()
        if method == "GET" and path == "/ISAPI/ContentMgmt/InputProxy/channels/status":
            return self._channel_status()
        if method == "GET" and path == "/ISAPI/ContentMgmt/Storage":
            return self._storage()
        if method == "GET" and path == "/ISAPI/ContentMgmt/record/tracks":
            return self._tracks()
        if method == "GET" and path == "/ISAPI/System/Network/SIP":
            return self._sip()
        track = re.fullmatch(r"/ISAPI/ContentMgmt/record/tracks/(\d+)01/dailyDistribution", path)
        if method == "POST" and track:
            return self._calendar(int(track[1]), body)
        if method == "POST" and path == "/ISAPI/ContentMgmt/search":
            return self._search(body)
        return None

    def _search(self, body: str) -> str | tuple[int, str]:
        zone = timedelta(hours=self.zone_hours)
        found = hikvision_search.search(body, self.channels, self.search, self.wall_clock(), zone)
        if isinstance(found, hikvision_search.SearchRefused):
            return found.status, self.status(found.code, "Invalid Operation", found.sub)
        return hikvision_search.document(found, self.attributes())

    def _user_check(self, value: int, word: str) -> str:
        left = round(self.door.lock_seconds_left())
        tries = self.door.max_failures - self.door.failures
        lock = "lock" if left else "unlock"
        return (
            f"<userCheck {self.attributes()}><statusValue>{value}</statusValue>"
            f"<statusString>{word}</statusString><lockStatus>{lock}</lockStatus>"
            f"<unlockTime>{left}</unlockTime>"
            f"<retryLoginTime>{tries}</retryLoginTime></userCheck>"
        )

    def status(self, code: int, word: str, sub: str) -> str:
        """Return a ResponseStatus."""
        return (
            f"<ResponseStatus {self.attributes()}><statusCode>{code}</statusCode>"
            f"<statusString>{word}</statusString><subStatusCode>{sub}</subStatusCode>"
            "</ResponseStatus>"
        )

    def _channel_list(self) -> str:
        rows = "".join(
            f"<InputProxyChannel{self.inner()}><id>{each.number}</id><name>{each.name}</name>"
            "<sourceInputPortDescriptor><proxyProtocol>HIKVISION</proxyProtocol>"
            f"<ipAddress>10.0.0.{each.number}</ipAddress><userName>admin</userName>"
            "</sourceInputPortDescriptor></InputProxyChannel>"
            for each in self.channels
        )
        # The size attribute lies in the field; here it always does.
        return f'<InputProxyChannelList {self.attributes()} size="0">{rows}</InputProxyChannelList>'

    def _channel_status(self) -> str:
        rows = "".join(
            f"<InputProxyChannelStatus{self.inner()}><id>{each.number}</id>"
            f"<online>{str(each.online).lower()}</online>"
            f"<streamingProxyChannelIdList><streamingProxyChannelId>{each.number}01"
            "</streamingProxyChannelId></streamingProxyChannelIdList>"
            f"<chanDetectResult>{each.condition}</chanDetectResult></InputProxyChannelStatus>"
            for each in self.channels
        )
        return (
            f"<InputProxyChannelStatusList {self.attributes()}>{rows}</InputProxyChannelStatusList>"
        )

    def _storage(self) -> str:
        rows = "".join(
            f"<hdd{self.inner()}><id>{n}</id><hddName>{disk.name}</hddName><hddType>SATA</hddType>"
            f"<status>{disk.status}</status><capacity>{disk.megabytes}</capacity>"
            f"<freeSpace>0</freeSpace><property>{disk.kind}</property><group>1</group></hdd>"
            for n, disk in enumerate(self.disks, start=1)
        )
        return (
            f"<storage {self.attributes()}><hddList>{rows}</hddList><nasList/>"
            "<workMode>quota</workMode></storage>"
        )

    def _sip(self) -> str:
        rows = "".join(f"<{name}>{value}</{name}>" for name, value in (self.gb28181 or {}).items())
        part = "" if self.gb28181 is None else f"<GB28181>{rows}</GB28181>"
        return (
            f"<SIPServerList {self.attributes()}><SIPServer><id>1</id><Standard>"
            "<enabled>false</enabled><registerStatus>offline</registerStatus></Standard>"
            f"{part}</SIPServer></SIPServerList>"
        )

    def _tracks(self) -> str:
        # Enable is false, and Channel is the track's id, on tracks that do record (V4.84).
        rows = "".join(
            f"<Track{self.inner()}><id>{each.number}0{stream}</id>"
            f"<Channel>{each.number}0{stream}</Channel><Enable>false</Enable>"
            f"<Duration>P{self.expiry_days}DT0H</Duration>"
            f"<SrcDescriptor><SrcChannel>{each.number}</SrcChannel></SrcDescriptor>"
            "<TrackSchedule><ScheduleBlockList><ScheduleBlock><ScheduleAction>"
            f"<Actions><Record>true</Record><ActionRecordingMode>{self.recording_mode}"
            "</ActionRecordingMode></Actions></ScheduleAction></ScheduleBlock>"
            "</ScheduleBlockList></TrackSchedule></Track>"
            for each in self.channels
            for stream in (1, 2)
        )
        return f"<TrackList {self.attributes()}>{rows}</TrackList>"

    def _calendar(self, number: int, body: str) -> str | None:
        asked = re.search(r"<year>(\d+)</year>\s*<monthOfYear>0?(\d+)</monthOfYear>", body)
        channel = next((each for each in self.channels if each.number == number), None)
        if self.calendar == "same_for_all":
            channel = self.channels[0]
        if channel is None or asked is None or self.calendar == "off":
            return None
        first = date(int(asked[1]), int(asked[2]), 1)
        now = self.wall_clock()
        days = [first + timedelta(days=n) for n in range(31)]
        rows = "".join(
            f"<day><id>{day.day}</id><dayOfMonth>{day.day}</dayOfMonth>"
            + (
                "<record>true</record><recordType>time</recordType></day>"
                if self.calendar != "all_false" and channel.has(day, now)
                else "<record>false</record></day>"
            )
            for day in days
            if day.month == first.month
        )
        name = "trackDailyDistribution"
        return f"<{name} {self.attributes()}><dayList>{rows}</dayList></{name}>"
