"""What a wand's software exports, as whole good rows; no I/O.

One line a scan, under a header that names the columns: `device_id`, `tag`, `device_time`, and where
there are any `seq`, `guard_tag` and `battery`. Before the header, `# docked_at=` may say what the
wand's own clock showed at docking.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from drivers.nfc.wand_words import Fault

MOST_BYTES, MOST_ROWS = 5_000_000, 20_000
NEEDED = ("device_id", "tag", "device_time")
KNOWN = (*NEEDED, "seq", "guard_tag", "battery")

_DOCKED = re.compile(r"#\s*docked_at\s*=\s*(.*)", re.IGNORECASE)
_WAND = re.compile(r"[A-Za-z0-9._-]{1,32}")
_SEQ = re.compile(r"[0-9]{1,12}")
_TAG = re.compile(r"(?:([a-z0-9]{1,16}):)?((?:[0-9A-F]{2}){3,10})", re.IGNORECASE)
# Whole to the second, so that one that was cut off does not read as another.
_TIME = re.compile(
    r"(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)


@dataclass(frozen=True)
class Row:
    """One scan as the wand has it; `device_time` is by its own clock, in UTC."""

    line: int
    wand: str
    seq: int | None
    tag: str
    guard_tag: str | None
    device_time: datetime

    @property
    def key(self) -> str:
        """Return what names this scan for ever.

        Tag and time are part of it: a wand that was erased counts from the beginning again.
        """
        seq = "" if self.seq is None else self.seq
        return f"{self.wand}/{seq}/{self.tag}/{self.device_time:%Y%m%dT%H%M%S}"


@dataclass(frozen=True)
class Export:
    """A file's rows in its order, and the lines set aside; `refused`: it is none at all."""

    rows: Sequence[Row] = ()
    rejected: Sequence[tuple[int, Fault]] = ()
    docked_at: datetime | None = None
    refused: Fault | None = None


class _BadRowError(Exception):
    """One line is no scan."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


def export_of(data: bytes, tech: str, zone: ZoneInfo) -> Export:
    """Read a file, whatever is in it; tags without a kind are of `tech`, times of `zone`."""
    if len(data) > MOST_BYTES:
        return Export(refused="too_large")
    text = _decoded(data)
    if text is None:
        return Export(refused="bad_encoding")
    *lines, unended = text.split("\n")
    found = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    docked_at: datetime | None = None
    if found and found[0][1].startswith("#"):
        said = _DOCKED.fullmatch(found.pop(0)[1])
        docked_at = None if said is None else _instant(said[1], zone)
        if docked_at is None:
            return Export(refused="bad_docking")
    columns = _columns(found.pop(0)[1]) if found else None
    if columns is None:
        return Export(refused="bad_header")
    if len(found) > MOST_ROWS:
        return Export(refused="too_many")
    rows: list[Row] = []
    rejected: list[tuple[int, Fault]] = []
    for number, line in found:
        try:
            rows.append(_row(number, line, columns, tech, zone))
        except _BadRowError as error:
            rejected.append((number, error.fault))
    if unended.strip():
        rejected.append((len(lines) + 1, "cut_off"))
    return Export(rows, rejected, docked_at)


def _decoded(data: bytes) -> str | None:
    for encoding in ("utf-8-sig", "gbk"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _columns(line: str) -> Mapping[str, int] | None:
    """Return where each column stands; None: the line is no header. Unknown ones are no matter."""
    names = [name.lower() for name in _fields(line)]
    known = [name for name in names if name in KNOWN]
    if len(set(known)) != len(known) or not set(NEEDED) <= set(known):
        return None
    return {**{name: names.index(name) for name in known}, "": len(names)}


def _row(number: int, line: str, columns: Mapping[str, int], tech: str, zone: ZoneInfo) -> Row:
    fields = _fields(line)
    if len(fields) != columns[""]:
        raise _BadRowError("bad_columns")

    def field(name: str) -> str:
        return fields[columns[name]] if name in columns else ""

    seq, guard = field("seq"), field("guard_tag")
    device_time = _instant(field("device_time"), zone)
    if _WAND.fullmatch(field("device_id")) is None:
        raise _BadRowError("bad_device")
    if seq and _SEQ.fullmatch(seq) is None:
        raise _BadRowError("bad_seq")
    if device_time is None:
        raise _BadRowError("bad_time")
    return Row(
        line=number,
        wand=field("device_id"),
        seq=int(seq) if seq else None,
        tag=_tag(field("tag"), tech, "bad_tag"),
        guard_tag=_tag(guard, tech, "bad_guard") if guard else None,
        device_time=device_time,
    )


def _fields(line: str) -> Sequence[str]:
    try:
        [fields] = csv.reader([line], strict=True)
    except (csv.Error, ValueError):
        return ()
    return [field.strip() for field in fields]


def _tag(text: str, tech: str, fault: Fault) -> str:
    found = _TAG.fullmatch(text)
    if found is None or not int(found[2], 16):
        raise _BadRowError(fault)
    return f"{(found[1] or tech).lower()}:{found[2].upper()}"


def _instant(text: str, zone: ZoneInfo) -> datetime | None:
    """Read a time; one without a zone is the site's own."""
    if _TIME.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except ValueError:
        return None
