"""Contact modules that speak Modbus RTU on a serial port."""

from typing import Literal

from pydantic import Field

from drivers.base import DeviceSettings


class ModbusSettings(DeviceSettings):
    """One contact module on a serial port."""

    id: str
    driver: Literal["modbus"]
    port: str
    baud: int = Field(default=9600, ge=300, le=921_600)
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    unit: int = Field(default=1, ge=1, le=247)
    inputs: int = Field(default=8, ge=1, le=64)
    press_counters_at: int | None = Field(default=None, ge=0, le=65_535)
    polls_per_second: float = Field(default=10.0, gt=0, le=50)
    reply_timeout_seconds: float = Field(default=0.3, gt=0, le=2)
    worst_turnaround_seconds: float = Field(default=0.5, gt=0, le=5)
