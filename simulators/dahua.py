"""A Dahua recorder on loopback: CGI with digest, channel states, finders, bad manners."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from simulators.archive import Clip, SimulatedDisk
from simulators.http_recorder import CommonFault, HttpRecorder, Sent

Fault = (
    CommonFault
    | Literal[
        "error_200",  # "Error" under HTTP 200
        "error_400",  # the short body of old units
        "no_connection_left",  # 401 although the password is right (rroller/dahua#603)
    ]
)


@dataclass
class DahuaManners:
    """How this firmware writes and counts (reference: Dahua CGI of units that were reported)."""

    line_end: str = "\r\n"
    gbk: bool = False
    padded_time: bool = True
    search_base: Literal[0, 1] = 1
    reply_channel_base: Literal[0, 1] = 0
    paths_name_channels: bool = True
    finders_max: int = 4
    old_close: bool = False
    end_is_error: bool = False
    camera_states: bool = True
    type_is_number: bool = False
    # Channels that were attached by ONVIF: recorded, and refused here (rroller/dahua#646).
    without_picture: tuple[int, ...] = ()


@dataclass
class _Finder:
    clips: list[Clip] | None = None
    channel: int = 0
    at: int = 0
    closed: bool = False


class DahuaSimulator(HttpRecorder):
    """A Dahua recorder; `days` gives channels by number and depth.

    `open_finders` are those nobody has destroyed; beyond `manners.finders_max` none is made.
    """

    one_request_a_connection = True

    def set_up(self) -> None:
        """Give it the manners of its firmware."""
        self.manners = DahuaManners()
        self.door.realm = "Login to SIM0002PAZ00002"
        self.disks = [SimulatedDisk("/dev/sda", status="Success", kind="ReadWrite")]
        self.recording_mode = 0
        self.schedule_mask = 7
        self._finders: dict[str, _Finder] = {}
        self._made = 8136

    @property
    def open_finders(self) -> int:
        """Return how many finders nobody has destroyed."""
        return len(self._finders)

    def answer(self, method: str, path: str, body: str) -> Sent:
        """Answer a question of somebody who is logged in."""
        del body
        parts = urlsplit(path)
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        name = parts.path.removeprefix("/cgi-bin/").removesuffix(".cgi")
        if name == "snapshot" and method == "GET":
            return self._picture(int(asked.get("channel", "0")))
        lines = self._lines(name, asked) if method == "GET" else None
        if lines is None:
            return self._bad_request()
        return Sent(200, "text/plain;charset=utf-8", self._encoded(lines))

    def _picture(self, number: int) -> Sent:
        there = any(each.number == number for each in self.channels)
        if not there or number in self.manners.without_picture:
            return self._bad_request()
        return Sent(200, "image/jpeg", self.picture(number))

    def refusal(self) -> Sent:
        """Return the body of a 401."""
        return Sent(401, "text/html", b"Error\r\nInvalid Authority!\r\n")

    def write_refused(self) -> Sent:
        """Refuse to be written to."""
        return self._bad_request()

    def spoiled(self, fault: str, sent: Sent) -> Sent:
        """Return what a fault makes of an answer."""
        if fault == "error_200":
            return Sent(200, "text/plain", b"Error\r\n")
        if fault == "error_400":
            return self._bad_request()
        if fault == "no_connection_left":
            return self.refusal()
        return sent

    def _bad_request(self) -> Sent:
        return Sent(400, "text/plain", b"Error\r\nBad Request!\r\n")

    def _encoded(self, lines: list[str]) -> bytes:
        text = "".join(line + self.manners.line_end for line in lines)
        return text.encode("gb18030" if self.manners.gbk else "utf-8")

    def _lines(self, name: str, asked: dict[str, str]) -> list[str] | None:
        action = asked.get("action", "")
        if name == "magicBox":
            return self._magic_box(action)
        if (name, action) == ("global", "getCurrentTime"):
            return [f"result={self._written(self.wall_clock())}"]
        if (name, action) == ("configManager", "getConfig"):
            return self._config(asked.get("name", ""))
        if (name, action) == ("storageDevice", "getDeviceAllInfo"):
            return self._storage()
        if (name, action) == ("LogicDeviceManager", "getCameraState"):
            return self._states() if self.manners.camera_states else None
        if (name, action) == ("eventManager", "getEventIndexes"):
            dark = [each.number - 1 for each in self.channels if not each.online]
            return [f"channels[{n}]={at}" for n, at in enumerate(dark)] or ["Error: No Events"]
        if name == "mediaFileFind":
            return self._find(action, asked)
        return None

    def _magic_box(self, action: str) -> list[str] | None:
        return {
            "getSystemInfo": [
                f"deviceType={'31' if self.manners.type_is_number else 'DHI-NVR5216-SIM'}",
                "processor=SSC",
                "serialNumber=SIM0002PAZ00002",
                "updateSerial=DHI-NVR5XXX",
            ],
            "getMachineName": ["name=school"],
            "getSerialNo": ["sn=SIM0002PAZ00002"],
            "getDeviceClass": ["class=NVR"],
            "getVendor": ["vendor=General"],
            "getDeviceType": ["type=DHI-NVR5216-4KS2"],
            "getSoftwareVersion": ["version=4.001.0000000.3,build:2022-05-11"],
        }.get(action)

    def _storage(self) -> list[str]:
        lines = []
        for n, disk in enumerate(self.disks):
            size = f"{disk.megabytes * 1048576}.0"
            lines += [
                f"list.info[{n}].Name={disk.name}",
                f"list.info[{n}].State={disk.status}",
                f"list.info[{n}].Detail[0].Path=/mnt/dvr/sd{n}",
                f"list.info[{n}].Detail[0].Type={disk.kind}",
                f"list.info[{n}].Detail[0].TotalBytes={size}",
                f"list.info[{n}].Detail[0].UsedBytes={size}",
                f"list.info[{n}].Detail[0].IsError={str(disk.status == 'Error').lower()}",
            ]
        return lines

    def _config(self, name: str) -> list[str] | None:
        places = [each.number - 1 for each in self.channels]
        if name == "RecordMode":
            return [f"table.RecordMode[{at}].Mode={self.recording_mode}" for at in places]
        if name == "Record":
            return [
                f"table.Record[{at}].TimeSection[{day}][0]={self.schedule_mask} 00:00:00-24:00:00"
                for at in places
                for day in range(7)
            ]
        if name != "ChannelTitle":
            return None
        return [f"table.ChannelTitle[{each.number - 1}].Name={each.name}" for each in self.channels]

    def _states(self) -> list[str]:
        lines = []
        for at, each in enumerate(self.channels):
            word = "Connected" if each.condition == "connect" else each.condition
            state = word if each.online else "UnConnect"
            lines += [f"states[{at}].channel={each.number - 1}"]
            lines += [f"states[{at}].connectionState={state}"]
        return lines

    # -- finders

    def _find(self, action: str, asked: dict[str, str]) -> list[str] | None:
        if action == "factory.create":
            if len(self._finders) >= self.manners.finders_max:
                return ["Error"]
            self._made += 1
            name = f"{self._made:05}"
            self._finders[name] = _Finder()
            return [f"result={name}"]
        name = asked.get("object", "")
        finder = self._finders.get(name)
        if finder is None:
            return ["Error"]
        if action == "findFile":
            return self._find_file(finder, asked)
        if action == "findNextFile":
            return self._find_next(finder, int(asked.get("count", "1")))
        names = {"close": "factory.close", "destroy": "factory.destroy"}
        wanted = {new: old if self.manners.old_close else new for new, old in names.items()}
        if action == wanted["close"]:
            finder.closed = True
            return ["OK"]
        if action == wanted["destroy"]:
            del self._finders[name]
            return ["OK"]
        return ["Error"]

    def _find_file(self, finder: _Finder, asked: dict[str, str]) -> list[str]:
        number = int(asked["condition.Channel"]) + 1 - self.manners.search_base
        channel = next((each for each in self.channels if each.number == number), None)
        start, end = (
            datetime.fromisoformat(asked[f"condition.{name}"]) for name in ("StartTime", "EndTime")
        )
        if asked.get("condition.VideoStream", "Main") != "Main" or channel is None:
            return ["Error"]
        finder.clips = list(channel.held(start, end, self.wall_clock()))
        finder.channel, finder.at = number, 0
        return ["OK"] if finder.clips else ["Error"]

    def _find_next(self, finder: _Finder, count: int) -> list[str]:
        if finder.clips is None or finder.closed:
            return ["Error"]
        page = finder.clips[finder.at : finder.at + min(count, 100)]
        finder.at += len(page)
        if not page and self.manners.end_is_error:
            return ["Error"]
        lines = [f"found={len(page)}"]
        for n, clip in enumerate(page):
            lines += [f"items[{n}].{line}" for line in self._file(finder.channel, clip)]
        return lines

    def _file(self, number: int, clip: Clip) -> list[str]:
        start, end = clip.start.strftime("%H.%M.%S"), clip.end.strftime("%H.%M.%S")
        at = f"{number - 1}/dav" if self.manners.paths_name_channels else "dav"
        path = f"/mnt/dvr/{clip.start.date()}/{at}/{start[:2]}/{start}-{end}[R][0@0][0].dav"
        return [
            f"Channel={number - 1 + self.manners.reply_channel_base}",
            f"StartTime={self._written(clip.start)}",
            f"EndTime={self._written(clip.end)}",
            "Type=dav",
            f"FilePath={path}",
            "Length=514850816",
            "VideoStream=Main",
            "Flags[0]=Timing",
        ]

    def _written(self, when: datetime) -> str:
        text = when.strftime("%Y-%m-%d %H:%M:%S")
        return text if self.manners.padded_time else re.sub(r"(?<=[- :])0(?=\d)", "", text)
