"""One reader's settings, whatever it speaks."""

from typing import Literal

from pydantic import Field

from drivers.base import DeviceSettings

# PN532 user manual 6.2: HSU begins at 115200; readers of 125 kHz tags talk at 9600.
_BAUDS = {"pn532": 115_200, "em4100": 9600}


class ReaderSettings(DeviceSettings):
    """A reader on a serial port. A card is gone after `gone_after_misses` polls without it.

    A reader that only talks (`em4100`) cannot be asked whether it lives: after `quiet_hours`
    without a word nobody knows.
    """

    id: str
    name: str = ""
    driver: Literal["pn532", "em4100"]
    port: str
    baud: int | None = Field(
        default=None, ge=1200, le=4_000_000, description="default: 115200, of em4100 9600"
    )
    gone_after_misses: int = Field(default=3, ge=1)
    poll_seconds: float = Field(default=0.2, gt=0)
    quiet_hours: float = Field(default=24, gt=0)

    @property
    def speed(self) -> int:
        """Return its baud rate."""
        return self.baud or _BAUDS[self.driver]
