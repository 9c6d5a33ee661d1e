"""A panic button's dry contacts on the modem lines of an RS-232 port, fed by the port itself."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from drivers.alarm.loop_states import SettledLoop, loop_state
from drivers.base import Clock, DeviceSettings
from drivers.errors import DeviceTimeoutError, DriverError
from drivers.readings import ChallengeResult, LoopReading, ModemLine, Reading
from drivers.serial_port import SerialPort

BAUD = 9600  # no byte is ever sent
READING_EVERY_SECONDS = 0.2
# A lost network shows only when a terminal server is asked something: ask it for what it does.
CONFIRM_EVERY_SECONDS = 0.5
CHALLENGE_STEP_SECONDS = 0.005
# Adapters and terminal servers tell of their inputs a little late, 16 ms for the usual FTDI.
RETURN_SECONDS = 0.1
BARE_LINE_SAMPLES = 2

_PORT = re.compile(r"/[^\0]+|rfc2217://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")


def _with_modem_lines(value: str) -> str:
    """socket:// and loop:// read every input as asserted: a healthy loop that is not there."""
    if _PORT.fullmatch(value) is None:
        raise PydanticCustomError("no_modem_lines", "neither a device path nor rfc2217://")
    return value


def _poles_of_a_button(value: ModemLine | None, info: ValidationInfo) -> ModemLine | None:
    if "closed_at_rest" in info.data and value == info.data["closed_at_rest"]:
        raise PydanticCustomError("loop_poles", "no pole, or both on one line")
    return value


class ModemLinesSettings(DeviceSettings):
    """One button on one port; with both poles wired its loop is supervised."""

    id: str
    driver: Literal["modem_lines"] = "modem_lines"
    port: Annotated[str, AfterValidator(_with_modem_lines)]
    closed_at_rest: ModemLine | None = None
    open_at_rest: Annotated[ModemLine | None, AfterValidator(_poles_of_a_button)] = Field(
        default=None, validate_default=True
    )
    feed: Literal["dtr", "rts"] = "dtr"
    sample_seconds: float = Field(default=0.02, ge=0.02, le=0.05)
    challenge_seconds: float = Field(default=60.0, ge=1, le=3600)
    drop_seconds: float = Field(default=0.05, ge=0.02, le=0.5)
    blind_seconds: float = Field(default=0.2, ge=0, le=2)

    @property
    def supervised(self) -> bool:
        """Tell whether a cut or a short can be told from a button."""
        return self.closed_at_rest is not None and self.open_at_rest is not None


class ModemLinesDriver:
    """Samples the inputs and now and then drops their feed, to see that they follow it.

    `poll` sets its own pace: it returns after READING_EVERY_SECONDS and yields a change at once.
    """

    def __init__(self, settings: ModemLinesSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._port = SerialPort(settings.port, BAUD, clock, feed=settings.feed)
        self._watched = {settings.closed_at_rest, settings.open_at_rest} - {None}
        self._begin()

    @property
    def device_id(self) -> str:
        """Return the loop's id."""
        return self._settings.id

    def open(self) -> None:
        """Open the port with the feed up; opening shakes the lines, so they are ignored a while."""
        try:
            self._port.open()
            self._port.set_feed(on=True)
            self._clock.sleep(self._settings.blind_seconds)
        except DriverError as error:
            raise self._named(error) from error
        self._begin()

    def close(self) -> None:
        """Release the port; the feed drops with it."""
        self._port.close()

    def poll(self, *, deadline: float) -> Iterator[Reading]:
        """Yield each change of the loop's state as it is believed, and at last how it stands."""
        now = self._clock.monotonic()
        if now >= deadline:
            raise self._named(DeviceTimeoutError("no time to look at the lines"))
        until = min(deadline, now + READING_EVERY_SECONDS)
        while True:
            self._await_sample(until)
            try:
                changed = self._sample()
            except DriverError as error:
                raise self._named(error) from error
            if changed:
                yield self._reading()
            if self._clock.monotonic() >= until:
                break
        if self._loop.state is None:
            raise self._named(DeviceTimeoutError("the lines did not come to rest in time"))
        yield self._reading()

    def _begin(self) -> None:
        """Forget everything: behind a port that was opened anew may be another loop."""
        now = self._clock.monotonic()
        self._loop = SettledLoop(1 if self._settings.supervised else BARE_LINE_SAMPLES)
        self._lines: frozenset[ModemLine] = frozenset()
        self._challenge = ChallengeResult.NOT_YET
        self._challenge_due = now
        self._confirm_due = now + CONFIRM_EVERY_SECONDS
        self._sample_due = self._sampled_at = now
        self._longest_gap = 0.0

    def _await_sample(self, until: float) -> None:
        now = self._clock.monotonic()
        if now < min(self._sample_due, until):
            self._clock.sleep(min(self._sample_due, until) - now)
        self._sample_due = self._clock.monotonic() + self._settings.sample_seconds

    def _sample(self) -> bool:
        """Look once; tell whether there is something new to say."""
        self._lines = self._port.read_lines()
        now = self._clock.monotonic()
        self._longest_gap = max(self._longest_gap, now - self._sampled_at)
        self._sampled_at = now
        seen = loop_state(self._lines, self._settings.closed_at_rest, self._settings.open_at_rest)
        if self._loop.take(seen, now):
            return True
        # Both below take the eyes off the lines: never while the button is on its way.
        if self._loop.quiet and now >= self._confirm_due:
            self._port.set_feed(on=True)
            self._confirm_due = self._clock.monotonic() + CONFIRM_EVERY_SECONDS
        elif self._loop.resting and now >= self._challenge_due and self._lines & self._watched:
            return self._challenged()
        return False

    def _challenged(self) -> bool:
        """Drop the feed, and once more if a line stays on: a slow adapter is no fault yet.

        Tells whether the result is another than before.
        """
        passed = self._goes_off_with_feed() or self._goes_off_with_feed()
        before = self._challenge
        self._challenge = ChallengeResult.PASSED if passed else ChallengeResult.FAILED
        self._challenge_due = self._clock.monotonic() + self._settings.challenge_seconds
        return self._challenge is not before

    def _goes_off_with_feed(self) -> bool:
        self._port.set_feed(on=False)
        went_off = self._becomes(on=False, seconds=self._settings.drop_seconds)
        self._port.set_feed(on=True)
        self._becomes(on=True, seconds=RETURN_SECONDS)
        return went_off

    def _becomes(self, *, on: bool, seconds: float) -> bool:
        """Wait until a watched line is on, or none is; tell whether that came about in time."""
        until = self._clock.monotonic() + seconds
        while bool(self._port.read_lines() & self._watched) is not on:
            if self._clock.monotonic() >= until:
                return False
            self._clock.sleep(CHALLENGE_STEP_SECONDS)
        return True

    def _reading(self) -> LoopReading:
        assert self._loop.state is not None  # noqa: S101 - said only once a state is believed
        gap, self._longest_gap = self._longest_gap, 0.0
        return LoopReading(
            device_id=self.device_id,
            observed_at=self._clock.now(),
            lines=tuple(sorted(self._lines)),
            state=self._loop.state,
            challenge=self._challenge,
            longest_gap_seconds=gap,
        )

    def _named(self, error: DriverError) -> DriverError:
        return type(error)(f"alarm loop {self.device_id}: {error}")
