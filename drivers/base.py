"""What a driver is, and the few things it is given."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from drivers.readings import Reading


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


class RecorderDriver(Driver, Protocol):
    """A recorder also tells, slowly, on which days each channel has video."""

    def survey(self, *, until: date, days: int, deadline: float) -> Iterator[Reading]:
        """Yield a DayMapReading per channel and month that holds the `days` days up to `until`.

        `until` is a day of the recorder's own calendar. One channel's failure is that month's
        Unknown; only an error that ends all talk with the recorder is raised.
        """


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
    ) -> None:
        """Note that the recorder refused the credential; every protocol reports here."""
