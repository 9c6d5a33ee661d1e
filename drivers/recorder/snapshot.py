"""Single pictures from a recorder: whole JPEGs, whichever of its addresses gives them."""

from collections.abc import Callable, Sequence

import httpx

from drivers.base import Clock
from drivers.errors import (
    AuthenticationError,
    BusyError,
    DeviceTimeoutError,
    DriverError,
    ProtocolError,
    UnsupportedDeviceError,
)
from drivers.readings import Reason, Unknown, unknown
from drivers.recorder.http import Answer, HttpDoor

# A JPEG of a few hundred bytes is an error's text under a wrong name
# (maciej-or/hikvision_next#316).
LEAST_BYTES = 1000
# Each picture is coded for us: one a second is what recorders bear.
GAP_SECONDS = 1.0
_SOFT = (BusyError, DeviceTimeoutError, ProtocolError, UnsupportedDeviceError)

Refused = Callable[[Answer], DriverError]


class Snapshots:
    """Takes pictures of one recorder's channels; remembers which address gave one."""

    def __init__(
        self,
        door: HttpDoor,
        addresses: Callable[[int], Sequence[str]],
        refused: Refused,
        clock: Clock,
    ) -> None:
        """`addresses` of a channel are tried in turn; `refused` tells the gate of a bad login."""
        self._door = door
        self._addresses = addresses
        self._refused = refused
        self._clock = clock
        self._best = 0
        self._next_at = 0.0

    def take(self, channel: int, *, deadline: float) -> bytes | Unknown:
        """Return a JPEG; what the recorder does not give is Unknown. Raises AuthenticationError."""
        addresses = self._addresses(channel)
        if not addresses:
            return Unknown(reason=Reason.NOT_SUPPORTED, detail="the recorder names no pictures")
        if (wait := self._next_at - self._clock.monotonic()) > 0:
            self._clock.sleep(wait)
        self._next_at = self._clock.monotonic() + GAP_SECONDS
        order = [self._best % len(addresses), *range(len(addresses))]
        failed: Unknown | None = None
        for at in dict.fromkeys(order):
            try:
                picture = fetch(self._door, addresses[at], self._refused, deadline=deadline)
            except _SOFT as error:
                failed = unknown(error)
                if isinstance(error, BusyError | DeviceTimeoutError):
                    break  # asked elsewhere, it would be as busy
                continue
            self._best = at
            return picture
        assert failed is not None  # noqa: S101 - there is at least one address
        return failed


def fetch(door: HttpDoor, target: str, refused: Refused, *, deadline: float) -> bytes:
    """Ask for one picture. Raises DriverError."""

    def read(answer: Answer) -> bytes:
        if answer.status == httpx.codes.UNAUTHORIZED:
            raise refused(answer)
        if answer.signed and answer.status < httpx.codes.INTERNAL_SERVER_ERROR:
            door.gate.login_succeeded()
        if answer.status in {httpx.codes.INTERNAL_SERVER_ERROR, httpx.codes.SERVICE_UNAVAILABLE}:
            raise BusyError(f"{door.where} has no picture to give now")
        if answer.status != httpx.codes.OK:
            raise door.http_error(target, answer.status)
        # ITU-T T.81 annex B: start and end of image; some pad behind the end.
        body = answer.body.rstrip(b"\0\r\n")
        if len(body) < LEAST_BYTES or body[:2] != b"\xff\xd8" or body[-2:] != b"\xff\xd9":
            raise ProtocolError(f"{door.where} answered {target} with no whole picture")
        return body

    return door.ask("GET", target, None, read, deadline=deadline)


def refused_by_digest(door: HttpDoor) -> Refused:
    """Return how a refusal is told where nothing but its status says why."""

    def refused(_: Answer) -> DriverError:
        door.gate.login_failed()
        return AuthenticationError(
            f"{door.where} refuses user {door.username}; check the user name and password"
        )

    return refused
