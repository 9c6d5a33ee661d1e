"""What a driver is, and the few things it is given."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from drivers.readings import Reading, Unknown
from drivers.recordings import Extent, PlaybackAddress, Segments


class Clock(Protocol):
    """Time is injected: wall clocks jump, so durations come from `monotonic` alone."""

    def now(self) -> datetime:
        """Return the wall clock as aware UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait; a simulated clock only moves on."""


class DeviceSettings(BaseModel):
    """Base of every driver's settings: frozen, no unknown keys, rejected values never printed.

    A validator of a driver's own raises PydanticCustomError(code, ...); the sentence for people
    is `config.<code>` of the agent's catalogue.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


class Driver(Protocol):
    """One device. The agent never calls two methods of one driver at once."""

    @property
    def device_id(self) -> str:
        """Return the id the settings give the device."""

    def open(self) -> None:
        """Connect. Raises DriverError."""

    def poll(self, *, deadline: float) -> Iterable[Reading]:
        """Give what was learned since the last poll, oldest first, before monotonic `deadline`.

        May yield each reading as it is learned, so that an urgent one does not wait for the rest.
        Raises DriverError; after PortLostError the agent closes and opens again.
        """

    def close(self) -> None:
        """Release the device. Safe to call twice, and before open."""


class Confirming(Protocol):
    """A driver whose device keeps what it said until it hears that we have it: on disk."""

    def confirm(self, token: str) -> None:
        """Note that the reading with this token is committed. On any thread; returns at once."""


class OutputDriver(Protocol):
    """A driver with outputs: lamps and buzzers. The state asked for last is the one that counts."""

    def set_output(self, output: int, *, on: bool) -> None:
        """Ask for an output's state. On any thread; returns at once.

        The owner thread sets it between two polls, and again after the device was lost.
        """


Evidence = Literal["calendar", "segments", "extent"]
StreamKind = Literal["main", "sub"]


class RecorderDriver(Driver, Protocol):
    """A recorder also tells what it holds. All days and times are of its own wall clock, naive.

    What one question cannot be answered with is Unknown; only an error that ends all talk with
    the recorder is raised.
    """

    @property
    def maker(self) -> str | None:
        """Return whose protocol it speaks; None while that is not known."""

    @property
    def listed(self) -> Mapping[int, str]:
        """The channels it named at the last poll, by number; names may be empty."""

    @property
    def gives(self) -> frozenset[Evidence]:
        """Return what it can say of its archive."""

    def month_days(
        self, channel: int, year: int, month: int, *, deadline: float
    ) -> Mapping[int, bool] | Unknown:
        """Return the days of a month its calendar says something was recorded on."""

    def segments(
        self,
        channel: int,
        start: datetime,
        end: datetime,
        *,
        deadline: float,
        pages: int = ...,
    ) -> Segments | Unknown:
        """Return what is recorded of a channel in a span, whole where it says `complete`.

        At most `pages` are asked for; the default is as many as a span may have.
        """

    def extents(self, *, deadline: float) -> Mapping[int, Extent] | Unknown:
        """Return for each channel the oldest and the newest it claims to hold."""

    def live_path(self, channel: int, stream: StreamKind) -> str | Unknown:
        """Return the RTSP path of a live stream, as far as known. Any thread may call."""

    def playback(
        self, channel: int, start: datetime, end: datetime, *, deadline: float
    ) -> PlaybackAddress | Unknown:
        """Return where what was recorded in a span is played back."""

    def snapshot(self, channel: int, *, deadline: float) -> bytes | Unknown:
        """Return a JPEG of what a channel shows now. Raises AuthenticationError."""

    def wall_clock(self) -> datetime | Unknown:
        """Return its own clock now, by what it said at the last poll."""

    @property
    def span_days(self) -> int:
        """Return how many days one search for segments may well span."""

    @property
    def calendar_right(self) -> bool | None:
        """Tell whether its calendar has been compared with its segments; None: not yet."""

    def judge_calendar(self, *, right: bool) -> None:
        """Note what that comparison showed; kept for its firmware."""


class Gate(Protocol):
    """Lends permits to talk to one recorder, whatever the protocol, and guards its logins."""

    def permit(self, use: str, *, deadline: float) -> AbstractContextManager[None]:
        """Wait for leave to use the recorder for `request`, `live` or `playback`.

        Raises BusyError when none came free before `deadline`, PermitRefusedError when logins
        are stopped.
        """

    def login_succeeded(self) -> None:
        """Note that the recorder accepted the credential."""

    def login_failed(
        self, *, retries_left: int | None = None, locked_seconds: float | None = None
    ) -> bool:
        """Note that the recorder refused the credential; every protocol reports here.

        Returns whether the gate lets it be tried again later without a person.
        """
