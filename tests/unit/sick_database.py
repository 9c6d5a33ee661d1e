"""A store whose disk can be made to hang or to fill up, and be healed again."""

import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from agent.clock import SystemClock
from agent.liveness import Liveness
from agent.store.database import Database, Work
from agent.store.formats import ALARM_FORMATS

T = TypeVar("T")


class SickDatabase(Database):
    """Real SQLite underneath; a full disk fails what writes, a hanging one delays everything."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, ALARM_FORMATS, Liveness(SystemClock()).beat("store"))
        self.full = False
        self.may_open = threading.Event()
        self.may_work = threading.Event()
        self.heal()

    def heal(self) -> None:
        self.full = False
        self.may_open.set()
        self.may_work.set()

    def submit(self, work: Work[T]) -> "Future[T]":
        def sick(connection: sqlite3.Connection) -> T:
            self.may_work.wait()
            before = connection.total_changes
            result = work(connection)
            if self.full and connection.total_changes != before:
                raise sqlite3.OperationalError("database or disk is full")
            return result

        return super().submit(sick)

    def _open(self) -> sqlite3.Connection:
        self.may_open.wait()
        return super()._open()
