"""Patrol wands and the software that empties them: CSV files with all that goes wrong with them."""

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from simulators.truth import Truth

HEADER = "device_id,seq,tag,guard_tag,device_time,battery"


@dataclass
class WandSimulator:
    """One wand. Its clock is `ahead_seconds` of the true one, and gains `drift_ppm` from `set_at`.

    `tap` notes a scan at a true time; `dock` writes all that it has into the directory.
    """

    directory: Path
    truth: Truth
    set_at: datetime
    wand: str = "W1"
    ahead_seconds: float = 0.0
    drift_ppm: float = 0.0
    guard_tag: str = ""
    seq: int = 0
    rows: list[str] = field(default_factory=list)

    def shows(self, at: datetime) -> datetime:
        """Return what its clock shows at a true time, to the second."""
        gained = (at - self.set_at).total_seconds() * self.drift_ppm / 1e6
        return (at + timedelta(seconds=self.ahead_seconds + gained)).replace(microsecond=0)

    def tap(self, tag: str, at: datetime) -> None:
        """Hold it to a tag."""
        self.seq += 1
        self.truth.record(self.wand, "tap", tag=tag)
        row = f"{self.wand},{self.seq},{tag},{self.guard_tag},{self.shows(at).isoformat()},87"
        self.rows.append(row)

    def spoil(self, row: str = "W1,x,,,yesterday") -> None:
        """Let there be a row that is none."""
        self.rows.append(row)

    def export(self, at: datetime | None) -> bytes:
        """Return what its software would write, docked at a true time; None: it does not say."""
        head = [] if at is None else [f"# docked_at={self.shows(at).isoformat()}"]
        return ("\r\n".join([*head, HEADER, *self.rows]) + "\r\n").encode("utf-8-sig")

    def dock(self, at: datetime, name: str = "export.csv", *, erase: bool = True) -> Path:
        """Write a file as of a true time; without `erase` the next one repeats it all."""
        path = self.write(name, self.export(at), at)
        if erase:
            self.rows.clear()
        return path

    def write(self, name: str, data: bytes, at: datetime) -> Path:
        """Write any file as of a true time."""
        path = self.directory / name
        path.write_bytes(data)
        os.utime(path, (at.timestamp(), at.timestamp()))
        return path

    def write_partly(self, at: datetime, part: float, name: str = "export.csv") -> Path:
        """Write the first part of a file, as a program that is not ready yet; 1.0 is all of it."""
        data = self.export(at)
        return self.write(name, data[: int(len(data) * part)], at)
