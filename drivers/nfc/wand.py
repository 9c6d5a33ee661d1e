"""Patrol wands, which keep their scans until they are docked: files in a directory, one a docking.

The wand's software lays a CSV file down; each scan in it is handed over once, and the file is
renamed when all are on our disk.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from drivers.base import Clock
from drivers.errors import BusyError, DeviceTimeoutError, PortLostError, ProtocolError
from drivers.nfc.settings import ReaderSettings
from drivers.nfc.wand_clock import Docking, Timed, WandMemory, WandStore, is_later, timed
from drivers.nfc.wand_files import REJECTED, Look, free, is_export, look_of, read, replace
from drivers.nfc.wand_rows import Export, Row, export_of
from drivers.nfc.wand_words import Fault, list_of
from drivers.readings import ReaderReading, Reading, Reason, ScanReading, Unknown

# A file is whole when nobody has written to it for so long; programs that write slowly exist.
SETTLED_SECONDS = 3.0
# So many scans at a time are on their way to the disk; asked for again if nobody says they came.
BATCH_SCANS, AGAIN_SECONDS = 100, 30.0
# Later than the docking by more than clocks tick differently in a file, or older than is kept.
AHEAD = timedelta(seconds=60)
OLDEST = timedelta(days=90)
DONE, REFUSED = "done", "refused"
_NO_FIRMWARE = Unknown(reason=Reason.NOT_SUPPORTED, detail="it is a directory")


@dataclass
class _Import:
    """One file under way: `waiting` are the scans not yet known to be on disk, oldest first."""

    name: str
    look: Look
    rejected: Sequence[tuple[int, Fault]]
    refused: bool
    waiting: dict[str, ScanReading]
    memory: WandMemory
    handed_at: float | None = None


class WandDriver:
    """Takes in the files of all wands that are docked at one place."""

    def __init__(
        self, settings: ReaderSettings, clock: Clock, zone: ZoneInfo, store: WandStore
    ) -> None:
        """`zone` is that of times without one."""
        self._settings = settings
        self._clock = clock
        self._zone = zone
        self._store = store
        self._directory = Path(settings.port)
        self._memory: WandMemory | None = None
        self._seen: dict[str, tuple[Look, float]] = {}
        self._current: _Import | None = None
        self._confirmed: set[str] = set()

    @property
    def device_id(self) -> str:
        """Return the id the settings give the device."""
        return self._settings.id

    def open(self) -> None:
        """See that the directory can be read; a file that was under way is begun anew."""
        self.close()
        if self._memory is None:
            self._memory = self._store.load()
        self._looked()

    def close(self) -> None:
        """Forget the file under way: it is still there."""
        self._current = None
        self._seen = {}

    def confirm(self, token: str) -> None:
        """Note that a scan is committed. On any thread; returns at once."""
        self._confirmed.add(token)

    def poll(self, *, deadline: float) -> Iterator[Reading]:
        """Yield scans of the oldest whole file, then a ReaderReading. Raises DriverError."""
        if self._clock.monotonic() >= deadline:
            raise DeviceTimeoutError(f"{self.device_id}: no time was left to look")
        whole = self._looked()
        if self._current is None:
            self._current = self._begun(whole)
        current = self._current
        if current is not None:
            yield from self._handed(current)
            if not current.waiting:
                self._finish(current)
        memory = self._memory
        yield ReaderReading(
            device_id=self.device_id,
            observed_at=self._clock.now(),
            firmware=_NO_FIRMWARE,
            read_until=None if memory is None else memory.read_until,
        )
        if current is not None and self._current is None and current.rejected:
            raise ProtocolError(
                f"{self.device_id}: {len(current.rejected)} lines of {current.name} are no scans: "
                f"see {current.name}{REJECTED}"
            )

    def _looked(self) -> Sequence[str]:
        """Look at every file; return those that are whole, oldest first. Raises PortLostError."""
        now = self._clock.monotonic()
        seen: dict[str, tuple[Look, float]] = {}
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    if is_export(entry.name) and entry.is_file(follow_symlinks=False):
                        look = look_of(entry.stat(follow_symlinks=False))
                        before = self._seen.get(entry.name)
                        same = before is not None and before[0] == look
                        seen[entry.name] = before if same and before else (look, now)
        except (OSError, ValueError) as error:
            raise PortLostError(f"directory {self._directory} cannot be read: {error}") from error
        self._seen = seen
        whole = [name for name, one in seen.items() if now - one[1] >= SETTLED_SECONDS]
        return sorted(whole, key=lambda name: (seen[name][0][2], name))

    def _begun(self, whole: Sequence[str]) -> _Import | None:
        """Read the first file that can be. Raises BusyError when none of them can."""
        unread: OSError | None = None
        for name in whole:
            try:
                data, look = read(self._directory / name)
            except OSError as error:
                unread = unread or error
                continue
            if look == self._seen[name][0]:  # else it was written to since
                return self._import(name, look, data)
        if unread is not None:
            raise BusyError(f"{self.device_id}: a file cannot be read: {unread}")
        return None

    def _import(self, name: str, look: Look, data: bytes) -> _Import:
        export = export_of(data, self._settings.tag_tech, self._zone)
        if export.refused is not None:
            refused = [(0, export.refused)]
            return _Import(name, look, refused, True, {}, self._remembered)
        # When it appeared; a clock of another machine that is ahead cannot say so.
        now = self._clock.now()
        written = datetime.fromtimestamp(min(look[2] / 1e9, now.timestamp()), UTC)
        return self._placed(name, look, export, written)

    @property
    def _remembered(self) -> WandMemory:
        return self._memory or WandMemory()

    def _placed(self, name: str, look: Look, export: Export, written: datetime) -> _Import:
        """Give each row its time, and leave out what was handed over before."""
        memory = self._remembered
        dockings, known = dict(memory.dockings), dict(memory.known)
        docking: Docking | None = None
        if export.docked_at is not None:
            docking = Docking(device_at=export.docked_at, host_at=written)
        by_wand: defaultdict[str, list[Row]] = defaultdict(list)
        for row in export.rows:
            by_wand[row.wand].append(row)
        rejected, scans = list(export.rejected), list[ScanReading]()
        docked = not export.rows and not export.rejected
        for wand, rows in by_wand.items():
            last, before = dockings.get(wand), len(scans)
            for row, when in timed(rows, docking, last):
                if row.key in known:
                    continue
                if not -AHEAD <= written - when.at <= OLDEST:
                    rejected.append((row.line, "not_yet" if when.at > written else "too_old"))
                    continue
                known[row.key] = when.at.timestamp()
                scans.append(self._scan(row, when))
            # A file that is laid down again says nothing of when the wand was docked.
            if len(scans) == before and not (docking and is_later(docking, last)):
                continue
            docked = True
            if docking and (last is None or docking.host_at > last.host_at):
                dockings[wand] = docking
        kept_from = (self._clock.now() - OLDEST - timedelta(days=1)).timestamp()
        memory = WandMemory(
            dockings=dockings,
            known={key: at for key, at in known.items() if at >= kept_from},
            read_until=max(written, memory.read_until or written) if docked else memory.read_until,
        )
        scans.sort(key=lambda scan: scan.observed_at)
        left = len(scans)
        waiting = {
            str(scan.token): scan.model_copy(update={"more": number < left})
            for number, scan in enumerate(scans, 1)
        }
        return _Import(name, look, sorted(rejected), False, waiting, memory)

    def _scan(self, row: Row, when: Timed) -> ScanReading:
        return ScanReading(
            device_id=self.device_id,
            observed_at=when.at,
            tag_id=row.tag,
            assurance="uid",
            wand=row.wand,
            guard_tag=row.guard_tag,
            device_time=row.device_time,
            offset_seconds=when.offset_seconds,
            remarks=when.remarks,
            token=row.key,
        )

    def _handed(self, current: _Import) -> Iterator[ScanReading]:
        """Hand over the next scans, once those before are on disk; again if nobody says so."""
        on_their_way = list(current.waiting)[:BATCH_SCANS]
        left = [token for token in on_their_way if token not in self._confirmed]
        now = self._clock.monotonic()
        if left and current.handed_at is not None and now - current.handed_at < AGAIN_SECONDS:
            return
        if not left:
            for token in on_their_way:
                del current.waiting[token]
            self._confirmed.clear()
            left = list(current.waiting)[:BATCH_SCANS]
        current.handed_at = now
        yield from [current.waiting[token] for token in left]

    def _finish(self, current: _Import) -> None:
        """Remember what was handed over, then rename the file. Raises BusyError: to try again."""
        try:
            if current.memory != self._memory:
                self._store.save(current.memory)
                self._memory = current.memory
            path = self._directory / current.name
            if current.rejected:
                listed = path.with_name(current.name + REJECTED)
                replace(listed, list_of(current.rejected))
            if look_of(path.stat(follow_symlinks=False)) == current.look:
                path.rename(free(path, REFUSED if current.refused else DONE))
        except FileNotFoundError:
            pass  # somebody has taken it away: its scans are ours
        except OSError as error:
            raise BusyError(f"{current.name} cannot be put aside: {error}") from error
        self._current = None
