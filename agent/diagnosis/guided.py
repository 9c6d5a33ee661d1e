"""Guided tests: the technician presses a button or holds up a tag, and the agent must hear it."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.control.client import call
from agent.control.protocol import CommandError, Reply
from agent.diagnosis.checks import CheckResult, result, seen
from agent.findings import Cause
from agent.monitors.test_window import LONGEST_MINUTES
from agent.settings import SiteSettings
from agent.store import patrol_record

TURN_SECONDS = 0.3
_PRESS, _TAP = "alarm.press", "reader.tap"
_HELD = "diagnosis.still_pressed"

Say = Callable[..., None]


def press_test(
    site: SiteSettings, path: Path, seconds: float, by: str, say: Say
) -> Iterator[CheckResult]:
    """Ask for every button in turn, in a test window, so that the county hears of tests alone."""
    buttons = site.panic_buttons
    names = ",".join(one.id for one in buttons)
    minutes = min(LONGEST_MINUTES, len(buttons) * seconds / 60 + 1)
    opened = _asked(path, "alarm-test-start", buttons=names, by=by, minutes=minutes)
    if not opened.ok:
        yield result(_PRESS, "", "fail", Cause(code=opened.code, params=opened.params))
        return
    say("diagnosis.window")
    held = False
    try:
        for button in buttons:
            say("diagnosis.press_now", button=button.id, name=button.name, seconds=round(seconds))
            found = _pressed(path, button.id, seconds)
            held = held or (found.cause is not None and found.cause.code == _HELD)
            yield found
    finally:
        # A press that outlasts its window goes out as an alarm: the window then ends by itself.
        if not held:
            _asked(path, "alarm-test-end")


def _pressed(path: Path, button: str, seconds: float) -> CheckResult:
    """Wait until a button is pressed and let go."""
    took = _waited(seconds, lambda: _presses(path, button) > 0)
    if took is None:
        cause = Cause(code="diagnosis.not_pressed", params={"seconds": round(seconds)})
        return result(_PRESS, button, "fail", cause)
    if _waited(seconds, lambda: _position(path, button) == "rest") is None:
        return result(_PRESS, button, "fail", Cause(code=_HELD))
    return result(_PRESS, button, evidence=seen("pressed", seconds=round(took, 1)))


def tap_test(site: SiteSettings, seconds: float, say: Say) -> Iterator[CheckResult]:
    """Ask for a tag at every reader in turn; what the agent reads is in its record."""
    place = site.state.directory / "events.db"
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=2)
        ) as db:
            for reader in site.nfc_reader:
                yield _tapped(db, reader.id, seconds, say)
    except sqlite3.Error:
        yield result(_TAP, "", "unknown", Cause(code="diagnosis.store_unreadable"))


def _tapped(db: sqlite3.Connection, reader: str, seconds: float, say: Say) -> CheckResult:
    newest = patrol_record.seal(db).number
    say("diagnosis.tap_now", reader=reader, seconds=round(seconds))

    def read() -> bool:
        return any(
            one.kind == "scan" and json.loads(one.body)["data"].get("reader") == reader
            for one in patrol_record.after(db, newest)
        )

    took = _waited(seconds, read)
    if took is None:
        cause = Cause(code="diagnosis.not_tapped", params={"seconds": round(seconds)})
        return result(_TAP, reader, "fail", cause)
    return result(_TAP, reader, evidence=seen("pressed", seconds=round(took, 1)))


def _presses(path: Path, button: str) -> int:
    return int(_state(path, "test-window").get("presses", {}).get(button, 0))


def _position(path: Path, button: str) -> str:
    return str(_state(path, "button", button).get("position"))


def _state(path: Path, kind: str, name: str = "") -> Mapping[str, Any]:
    reply = _asked(path, "status")
    for state in reply.data.get("states", ()) if reply.ok else ():
        if state["kind"] == kind and (not name or state["id"] == name):
            found: Mapping[str, Any] = state["data"]
            return found
    return {}


def _waited(seconds: float, came: Callable[[], bool]) -> float | None:
    """Return after how many seconds it came; None: it did not."""
    began = time.monotonic()
    while (took := time.monotonic() - began) < seconds:
        if came():
            return took
        time.sleep(TURN_SECONDS)
    return None


def _asked(path: Path, verb: str, **args: str | float) -> Reply:
    try:
        return call(path, verb, **args)
    except CommandError as error:
        return Reply(ok=False, code=error.code, params=error.params)
