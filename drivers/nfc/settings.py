"""One reader's settings, whatever it speaks."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from drivers.base import DeviceSettings

# PN532 user manual 6.2: HSU begins at 115200; readers of 125 kHz tags talk at 9600.
_BAUDS = {"pn532": 115_200, "em4100": 9600}
_TECH = re.compile(r"[a-z0-9]+")

UidFormat = Literal["decimal10", "decimal8", "hex", "hex_reversed"]


def _checked_tech(value: str) -> str:
    if _TECH.fullmatch(value) is None:
        raise PydanticCustomError("bad_tech", "not a kind of tag")
    return value


class ReaderSettings(DeviceSettings):
    """A reader on a serial port. A card is gone after `gone_after_misses` polls without it.

    A reader that only talks (`em4100`, `wedge`) cannot be asked whether it lives: after
    `quiet_hours` without a word nobody knows. That of `wedge` is an input device, and has no baud;
    that of `wand` is the directory in which the files of wands are laid down.
    """

    id: str
    name: str = ""
    driver: Literal["pn532", "em4100", "wedge", "wand"]
    port: str
    baud: int | None = Field(
        default=None, ge=1200, le=4_000_000, description="default: 115200, of em4100 9600"
    )
    gone_after_misses: int = Field(default=3, ge=1)
    poll_seconds: float = Field(default=0.2, gt=0)
    quiet_hours: float = Field(default=24, gt=0)
    uid_format: UidFormat = Field(
        default="decimal10",
        description="how a `wedge` types: 10 digits; 3 + 5 digits; hex; hex, last byte first",
    )
    tag_tech: Annotated[str, AfterValidator(_checked_tech)] = Field(
        default="em4100",
        description="what tags a `wedge` or a `wand` reads: what stands before their number",
    )
    upload_hours: float = Field(
        default=24,
        gt=0,
        le=24,
        description="how long to wait for a `wand` to be docked before nobody can know any more",
    )

    @property
    def speed(self) -> int:
        """Return its baud rate."""
        return self.baud or _BAUDS[self.driver]
