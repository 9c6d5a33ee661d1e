import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from agent import logs
from agent.credentials import Redactor
from tests.simulated_clock import SimulatedClock

SECRET = 'hunter2"ä'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def _redactor() -> Redactor:
    redactor = Redactor()
    redactor.add(SECRET)
    return redactor


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_its_keys_in_order(clock: SimulatedClock) -> None:
    out = io.StringIO()
    logs.configure(out, {}, clock, _redactor())
    logs.logger("retention").info("survey.done", seconds=1.5, device="nvr-1", days=(1, 2))
    assert out.getvalue() == (
        '{"time": "2026-09-01T02:00:00.000+00:00", "level": "info", "event": "survey.done", '
        '"component": "retention", "device": "nvr-1", "seconds": 1.5, "days": [1, 2]}\n'
    )


@pytest.mark.parametrize("variable", ["INVOCATION_ID", "JOURNAL_STREAM"])
def test_under_systemd_a_line_starts_with_its_priority(
    variable: str, clock: SimulatedClock
) -> None:
    out = io.StringIO()
    logs.configure(out, {variable: "x"}, clock, _redactor())
    log = logs.logger("alarm")
    log.info("a")
    log.warning("b")
    log.error("c")
    log.critical("d")
    log.debug("e")
    assert [line[:4] for line in out.getvalue().splitlines()] == ["<6>{", "<4>{", "<3>{", "<2>{"]


def test_a_person_gets_text_and_no_control_characters(clock: SimulatedClock) -> None:
    out = Terminal()
    logs.configure(out, {"INVOCATION_ID": "x"}, clock, _redactor())
    logs.logger("alarm").info("press", device="gate", name="\x1b[31mred\nline")
    assert out.getvalue() == (
        "2026-09-01T02:00:00.000+00:00 info    press "
        "component=alarm device=gate name=?[31mred?line\n"
    )


class Opaque:
    def __str__(self) -> str:
        return f"Opaque({SECRET})"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["json", "text"])
def test_no_secret_gets_into_a_line(stream: io.StringIO, clock: SimulatedClock) -> None:
    logs.configure(stream, {}, clock, _redactor())
    log = logs.logger("recorder")
    log.warning(str(Opaque()), device=SECRET)
    log.warning("deep", of={SECRET: [{"x": (SECRET, {SECRET})}]}, thing=Opaque(), raw=SECRET)
    try:
        int(SECRET)
    except ValueError:
        log.exception("failed")
        logging.getLogger("library").exception("also %s", SECRET)
    shown = stream.getvalue()
    assert "hunter2" not in shown
    assert shown.count("***") >= 8
    assert "ValueError" in shown
    assert "library" in shown


def test_trouble_that_repeats_is_counted_not_repeated(clock: SimulatedClock) -> None:
    out = io.StringIO()
    logs.configure(out, {}, clock, _redactor())
    log = logs.logger("alarm")
    for _ in range(480):
        log.warning("no reply", device="io-1")
        clock.advance(0.125)
    log.warning("no reply", device="io-2")
    log.warning("no reply", device="io-1")
    told = [(line["device"], line.get("repeats")) for line in _lines(out)]
    assert told == [("io-1", None), ("io-2", None), ("io-1", 479)]


def test_a_jump_of_the_wall_clock_does_not_silence_trouble(clock: SimulatedClock) -> None:
    out = io.StringIO()
    logs.configure(out, {}, clock, _redactor())
    logs.logger("alarm").warning("no reply")
    clock.jump(-86_400)
    clock.advance(61)
    logs.logger("alarm").warning("no reply")
    assert len(_lines(out)) == 2


def test_changes_of_state_are_all_told(clock: SimulatedClock) -> None:
    out = io.StringIO()
    logs.configure(out, {}, clock, _redactor())
    for number in range(5):
        logs.logger("alarm").info("press", device="gate", number=number)
    assert [line["number"] for line in _lines(out)] == [0, 1, 2, 3, 4]


def test_libraries_are_heard_from_warning_up(clock: SimulatedClock) -> None:
    out = io.StringIO()
    logs.configure(out, {}, clock, _redactor())
    logging.getLogger("apscheduler").info("not this")
    logging.getLogger("apscheduler").warning("run was missed by %s", "0:00:02")
    [line] = _lines(out)
    assert (line["event"], line["component"], line["level"]) == (
        "run was missed by 0:00:02",
        "apscheduler",
        "warning",
    )


def test_a_log_that_cannot_be_written_stops_nobody(clock: SimulatedClock) -> None:
    class Broken(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    logs.configure(Broken(), {}, clock, _redactor())
    logs.logger("alarm").error("press")
    closed = io.StringIO()
    closed.close()
    plain = io.StringIO()
    logs.configure(plain, {}, clock, _redactor())
    logs.logger("alarm").error("name \ud800")
    assert "name" in plain.getvalue()


def test_what_is_remembered_of_repeats_is_bounded(clock: SimulatedClock) -> None:
    repeats = logs._Repeats(clock)
    for number in range(3000):
        repeats(None, "warning", {"event": str(number)})
    assert len(repeats._told) <= 1000
