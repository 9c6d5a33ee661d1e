"""How a Dahua recorder is set up to keep recordings: its disks, and what it records when."""

import re

from drivers.readings import Reason, Unknown
from drivers.recorder.dahua_cgi import Table
from drivers.recorder.readings import RecordingMode, Volume

_NOTHING_SAID = Unknown(reason=Reason.NOT_MEASURED, detail="the recorder does not say")
_OFF = "2"
# TimeSection: a mask of 1 timing, 2 motion, 4 alarm before the hours.
_SECTION = re.compile(r"(\d{1,3}) (\d\d:\d\d:\d\d)-(\d\d:\d\d:\d\d)")


def volumes(table: Table) -> tuple[Volume, ...]:
    """Read getDeviceAllInfo; bytes, at times as a fraction. Small partitions may be beside."""
    rows = table.rows("list.info") or table.rows("list")
    found = []
    for row in rows.values():
        parts: dict[str, dict[str, str]] = {}
        for key, value in row.items():
            part = re.fullmatch(r"Detail\[(\d+)\]\.(\w+)", key)
            if part:
                parts.setdefault(part[1], {})[part[2]] = value
        failed = any(one.get("IsError", "").lower() == "true" for one in parts.values())
        kinds = {one.get("Type", "").lower() for one in parts.values()}
        found.append(
            Volume(
                id=row.get("Name", "?"),
                condition="error" if failed else row.get("State", "").lower(),
                writable="readwrite" in kinds,
                redundant="redundant" in kinds,
                capacity_bytes=_total(parts),
            )
        )
    return tuple(found)


def modes(switch: Table, schedule: Table) -> dict[int, RecordingMode | Unknown]:
    """Read RecordMode (0 by schedule, 1 by hand, 2 off) and the Record schedule, from 0."""
    found: dict[int, RecordingMode | Unknown] = {}
    sections = schedule.rows("table.Record")
    for index, row in switch.rows("table.RecordMode").items():
        said = row.get("Mode", "")
        if said == _OFF:
            found[index + 1] = "off"
        elif said == "1":
            found[index + 1] = "continuous"
        else:
            found[index + 1] = _scheduled(sections.get(index, {}))
    return found


def _scheduled(row: dict[str, str]) -> RecordingMode | Unknown:
    masks = []
    for key, value in row.items():
        section = _SECTION.fullmatch(value) if key.startswith("TimeSection") else None
        if section and section[2] != section[3]:
            masks.append(int(section[1]))
    masks = [mask for mask in masks if mask]
    if not masks:
        return _NOTHING_SAID
    return "continuous" if any(mask & 1 for mask in masks) else "event"


def _total(parts: dict[str, dict[str, str]]) -> int | None:
    try:
        return round(sum(float(one["TotalBytes"]) for one in parts.values())) or None
    except (KeyError, ValueError, OverflowError):
        return None
