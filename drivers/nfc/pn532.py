"""NFC readers built on the PN532, on a serial port."""

from typing import Literal

from pydantic import Field

from drivers.base import DeviceSettings


class Pn532Settings(DeviceSettings):
    """One PN532 reader on a serial port."""

    id: str
    name: str = ""
    driver: Literal["pn532"]
    port: str
    baud: int = Field(default=115_200, ge=9600, le=1_288_000)
    gone_after_misses: int = Field(default=3, ge=1, le=50)
    poll_seconds: float = Field(default=0.2, gt=0, le=10)
