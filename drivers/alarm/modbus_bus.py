"""All Modbus modules of one serial port: polled in turn by one owner, the dead ones seldom."""

import contextlib
from collections.abc import Iterator, Sequence

from drivers.alarm.modbus import ModbusModule, ModbusSettings
from drivers.alarm.modbus_line import ModbusLine
from drivers.base import Clock
from drivers.errors import DriverError, PortLostError, UnsupportedDeviceError
from drivers.readings import Outage, Reading, Reason
from drivers.serial_port import SerialPort

DEAD_AFTER_MISSES = 3
DEAD_EVERY_SECONDS = 5.0
PUT_OUT_SECONDS = 0.3


class _Health:
    """How a module has answered lately."""

    def __init__(self) -> None:
        self.misses = 0
        self.due = 0.0
        self.error: DriverError | None = None


class ModbusBus:
    """Implements Driver. A module that fails costs its own turn, and its neighbours hear nothing.

    One module alone on its line raises its errors as any driver does; of several each has Outage
    readings of its own, and only what ends all talk is raised.
    """

    def __init__(self, modules: Sequence[ModbusSettings], clock: Clock) -> None:
        first = modules[0]
        port = SerialPort(
            first.port,
            first.baud,
            clock,
            parity=first.parity,
            stop_bits=first.stop_bits,
            low_latency=True,
        )
        self._line = ModbusLine(port, clock, local_echo=first.local_echo)
        self._clock = clock
        self.modules = [ModbusModule(one, self._line, clock) for one in modules]
        self._health = {one.id: _Health() for one in modules}

    @property
    def device_id(self) -> str:
        """Return the id of the line's first module."""
        return self.modules[0].settings.id

    def open(self) -> None:
        """Open the line; whether modules live on it only valid replies tell."""
        self._line.open()
        for module in self.modules:
            module.forget()
            self._health[module.settings.id].due = 0.0

    def close(self) -> None:
        """Put out the lamps, as far as the line still allows, and release it."""
        for module in self.modules:
            with contextlib.suppress(DriverError):
                module.put_out(self._clock.monotonic() + PUT_OUT_SECONDS)
        self._line.close()

    def poll(self, *, deadline: float) -> Iterator[Reading]:
        """Yield what each module says, as it is said."""
        alone = len(self.modules) == 1
        for module in self.modules:
            health = self._health[module.settings.id]
            now = self._clock.monotonic()
            if alone and health.error is not None and now < health.due:
                raise health.error
            if now < health.due or (not alone and now < self._busy_until(module)):
                continue
            answered = False
            try:
                for reading in module.poll(deadline=deadline):
                    answered = True
                    yield reading
                health.misses = 0
            except PortLostError:
                raise
            except DriverError as error:
                self._missed(health, error, answered=answered, alone=alone)
                if alone:
                    raise
                yield self._outage(module, error)

    def _busy_until(self, module: ModbusModule) -> float:
        return self._line.busy_until(module.settings.unit)

    def _missed(self, health: _Health, error: DriverError, *, answered: bool, alone: bool) -> None:
        health.misses += 1
        health.error = error
        # What it has not got it will not have at the next poll either.
        refused = isinstance(error, UnsupportedDeviceError) and not answered
        dead = not alone and health.misses >= DEAD_AFTER_MISSES and not answered
        if refused or dead:
            health.due = self._clock.monotonic() + DEAD_EVERY_SECONDS

    def _outage(self, module: ModbusModule, error: DriverError) -> Outage:
        return Outage(
            device_id=module.settings.id,
            observed_at=self._clock.now(),
            reason=Reason(error.reason),
            detail=str(error),
        )
