"""How a Hikvision recorder is set up to keep recordings: its disks, and the tracks it records."""

import re
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers.readings import Reason, Unknown
from drivers.recorder.isapi import children, local_name, text
from drivers.recorder.readings import RecordingMode, Volume

_MEGABYTE = 1 << 20
# ISAPI RaCM, TrackSchedule: continuous is CMR; motion, alarm and the like are events.
_CONTINUOUS = "CMR"
# Words of public client code; exact children of GB28181 are not published.
_STATUS = ("registerstatus", "regstatus", "status")
_REGISTERED = frozenset({"online", "registered", "1", "true"})
_UNREGISTERED = frozenset(
    {"offline", "disconnected", "0", "false", "unregistered", "notregistered", "inactive"}
)
_SERVER = ("serveraddress", "sipserveraddress", "ipaddress", "hostname", "registrar", "proxy")
_OWN_ID = ("deviceid", "username", "authid")
_NOTHING_SAID = Unknown(reason=Reason.NOT_MEASURED, detail="the recorder does not say")
# GB/T 28181, 20 digits: 8 area, 2 industry, 3 type, 1 net, 6 serial; types 131 and 132 are cameras.
_CAMERA_ID = re.compile(r"\d{10}13[12]\d{7}")
_EXPIRY = re.compile(r"P(\d{1,5})D")


def volumes(root: Element) -> tuple[Volume, ...]:
    """Read ContentMgmt/Storage; capacity is told in megabytes, and free space 0 is normal."""
    found = []
    for row in [*children(root, "hdd"), *children(root, "nas")]:
        kind = (text(row, "property") or "RW").lower()
        capacity = text(row, "capacity") or ""
        found.append(
            Volume(
                id=text(row, "hddName") or text(row, "id") or "?",
                condition=(text(row, "status") or "").lower(),
                writable=kind == "rw",
                redundant=kind.startswith("redun"),
                capacity_bytes=int(capacity) * _MEGABYTE if capacity.isdecimal() else None,
            )
        )
    return tuple(found)


def policies(root: Element) -> dict[int, tuple[int | None, RecordingMode | Unknown]]:
    """Read record/tracks: for each channel's main track how long it keeps, and what it records.

    Joined by SrcChannel: on V4.84 `Channel` repeats the track's id, and `Enable` is false on
    tracks that do record.
    """
    found: dict[int, tuple[int | None, RecordingMode | Unknown]] = {}
    for track in children(root, "Track"):
        number = text(track, "id") or ""
        source = text(track, "SrcChannel") or ""
        if not number.isdecimal() or int(number) % 100 != 1:
            continue
        channel = int(source) if source.isdecimal() else int(number) // 100
        kept = _EXPIRY.match(text(track, "Duration") or "")
        days = int(kept[1]) if kept else 0
        # 0 and none at all: until it is overwritten.
        found[channel] = (days or None, _mode(track))
    return found


class Uplink(NamedTuple):
    """What the GB28181 part says; `camera_ids` are those of the cameras in it."""

    registered: bool | Unknown
    server: str | Unknown
    uplink_id: str | Unknown
    camera_ids: tuple[str, ...] | Unknown


def uplink(root: Element) -> Uplink:
    """Read the GB28181 part of Network/SIP; Standard is telephony.

    Its children have many names: they are matched by what they are called, in any case.
    """
    part = next(iter(children(root, "GB28181")), None)
    if part is None:
        missing = Unknown(reason=Reason.NOT_SUPPORTED, detail="its firmware has no GB28181")
        return Uplink(missing, missing, missing, missing)
    said = {local_name(one).lower(): (one.text or "").strip() for one in part.iter()}
    word = next((said[name].lower() for name in _STATUS if said.get(name)), "")
    registered: bool | Unknown = _NOTHING_SAID
    if said.get("enabled", "").lower() == "false" or word in _UNREGISTERED:
        registered = False
    elif word in _REGISTERED:
        registered = True
    elif word:
        registered = Unknown(reason=Reason.MALFORMED, detail=f"register status {word[:20]!r}")
    server = next((said[name] for name in _SERVER if said.get(name)), None)
    own = next((said[name] for name in _OWN_ID if said.get(name)), None)
    numbers = ((one.text or "").strip() for one in part.iter())
    cameras = tuple(dict.fromkeys(one for one in numbers if _CAMERA_ID.fullmatch(one)))
    return Uplink(
        registered, server or _NOTHING_SAID, own or _NOTHING_SAID, cameras or _NOTHING_SAID
    )


def _mode(track: Element) -> RecordingMode | Unknown:
    words = [(one.text or "").strip() for one in children(track, "ActionRecordingMode")]
    words = [word for word in words if word] or [text(track, "DefaultRecordingMode") or ""]
    if _CONTINUOUS in words:
        return "continuous"
    if any(words):
        return "event"
    return _NOTHING_SAID
