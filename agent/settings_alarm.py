"""The alarm's sections of a site's file: modules, loops, receivers, and what is wired to them."""

from typing import Literal

from pydantic import Field

from agent.policy import (
    AlarmInputs,
    AlarmReceiver,
    Button,
    Contact,
    GuardOutput,
    WiredButton,
    Wiring,
    ZoneButton,
)
from agent.settings_types import Id, Text
from drivers.alarm.modbus import ModbusSettings
from drivers.alarm.modem_lines import ModemLinesSettings
from drivers.alarm.surgard import SILENT_INTERVALS, SurgardSettings
from drivers.base import DeviceSettings

# The polls a second at which a press of 60 ms cannot fall between two.
SHORT_PRESS_POLLS = 20.0


class SiteButton(WiredButton):
    """[[alarm_module.button]]."""

    id: Id
    name: Text


class SiteContact(Contact):
    """[[alarm_module.contact]]: another contact on the module, such as a fault relay."""

    id: Id
    name: Text


class SiteOutput(DeviceSettings):
    """[[alarm_module.output]]: a lamp or a buzzer for the guard."""

    id: Id
    name: Text
    output: int = Field(ge=0, le=63)
    shows: Literal["alarm", "buzzer", "county_link"]


class AlarmModule(ModbusSettings):
    """[[alarm_module]]: a contact module and the buttons wired to it."""

    id: Id
    driver: Literal["modbus"]
    port: Text
    button: tuple[SiteButton, ...] = ()
    contact: tuple[SiteContact, ...] = ()
    output: tuple[SiteOutput, ...] = ()

    @property
    def guard_outputs(self) -> tuple[GuardOutput, ...]:
        """Return its lamps and buzzers, each with its module."""
        return tuple(
            GuardOutput(**{**output.model_dump(), "module": self.id}) for output in self.output
        )

    @property
    def sees_short_presses(self) -> bool:
        """Tell whether a press of 60 ms is caught: by quick polls, counter or latch."""
        remembers = self.press_counters_at is not None or self.latches_at is not None
        return remembers or self.polls >= SHORT_PRESS_POLLS

    @property
    def wired(self) -> AlarmInputs:
        """Return what the alarm monitor must know of it."""
        return AlarmInputs(
            id=self.id,
            buttons=self.button,
            contacts=self.contact,
            outputs=self.guard_outputs,
            sees_short_presses=self.sees_short_presses,
        )


class AlarmLoop(ModemLinesSettings):
    """[[alarm_loop]]: one button wired to the modem lines of a serial port."""

    id: Id
    name: Text
    driver: Literal["modem_lines"]
    latching: bool = False

    @property
    def wired(self) -> Button:
        """Return its button; with both poles a cut and a short are told from a press."""
        wiring: Wiring = "supervised"
        if not self.supervised:
            wiring = "nc" if self.closed_at_rest is not None else "no"
        return Button(id=self.id, name=self.name, wiring=wiring, latching=self.latching)


class SiteZone(ZoneButton):
    """[[alarm_receiver.button]]."""

    id: Id
    name: Text


class Receiver(SurgardSettings):
    """[[alarm_receiver]]: an alarm receiver and the buttons behind its panels."""

    id: Id
    name: Text
    driver: Literal["surgard"]
    port: Text
    button: tuple[SiteZone, ...] = ()

    @property
    def wired(self) -> AlarmReceiver:
        """Return what the alarm monitor must know of it."""
        return AlarmReceiver(
            id=self.id,
            name=self.name,
            buttons=self.button,
            # Its driver says so first; this is for a driver that says nothing at all.
            silent_after_seconds=(SILENT_INTERVALS + 1) * self.heartbeat_seconds + 5,
        )
