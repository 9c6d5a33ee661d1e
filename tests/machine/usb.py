"""`make system-usb`: the kernel's own FTDI driver, unplugged and plugged in under the agent."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.modbus import ModbusSimulator
from simulators.truth import Truth
from tests.benchmarks import alarm_rig
from tests.benchmarks.figures import Figures
from tests.daemon import WITHOUT_CAMERAS
from tests.hearing import all_of
from tests.machine import guest

TRIES = 10
ADAPTER = "usb-QEMU_QEMU_USB_SERIAL_GATE-if00-port0"
PLUG = "device_add usb-serial,chardev=line,id=gate{number},always-plugged=on,serial=GATE"
TROUBLE_SECONDS = 2.0
# The guest is emulated instruction by instruction, and its udev with it.
BACK_SECONDS = 30.0


def main() -> int:
    """Run; 0 if every loss was heard in time and every press arrived."""
    guest.build()
    figures = Figures("system-usb")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        broker = Broker(directory / "broker", kind="mosquitto")
        broker.start()
        county = County(broker.port, keep=True)
        county.start()
        truth = Truth()
        module = ModbusSimulator(directory / "line", truth, baud=19200, count=alarm_rig.BUTTONS)
        module.start()
        port = f'"/dev/serial/by-id/{ADAPTER}"'
        lines = alarm_rig.module(Path("/x"), 19200, counters=True).replace('"/x/alarm"', port)
        settings = alarm_rig.site(Path("/var/lib"), broker.port, lines + WITHOUT_CAMERAS)
        settings = settings.replace("127.0.0.1", guest.HOST)
        line = ["-chardev", f"serial,id=line,path={module.line.path.resolve()}"]
        machine = guest.Machine(directory, guest.disk(settings), line)
        try:
            figures.print("boot_seconds", machine.wait_ready(), "s", n=1)
            _play(figures, machine, county, module)
        except (TimeoutError, AssertionError) as error:
            sys.stderr.write(f"{error}\nthe agent: {machine.said()[-4000:]}\n")
            return 1
        finally:
            machine.stop()
            county.stop()
            module.stop()
            broker.stop()
    return 0


def _play(
    figures: Figures, machine: guest.Machine, county: County, module: ModbusSimulator
) -> None:
    lost = _nth(county, "trouble", 1).body["data"]
    assert lost["cause"]["code"] == "alarm.port_lost", lost
    trouble: list[float] = []
    back: list[float] = []
    for number in range(1, TRIES + 1):
        _press(module, 2 * number)  # with the adapter away: the module's counter tells of it
        began = time.time()
        machine.do(PLUG.format(number=number))
        back.append(_nth(county, "restored", number).at - began)
        time.sleep(1)
        _press(module, 2 * number + 1)
        _until(lambda n=number: len(_heard(county, "press")) >= _told(n))  # type: ignore[misc]
        began = time.time()
        machine.do(f"device_del gate{number}")
        trouble.append(_nth(county, "trouble", number + 1).at - began)
        sys.stderr.write(f"\r{number}/{TRIES} ")
    sys.stderr.write("\n")
    presses = len(_heard(county, "press"))
    figures.print("presses_heard", presses, "presses", n=_told(TRIES))
    figures.print("trouble_seconds_max", max(trouble), "s", n=TRIES, baseline=TROUBLE_SECONDS)
    figures.print("restored_seconds_max", max(back), "s", n=TRIES)
    assert max(trouble) < TROUBLE_SECONDS
    assert presses == _told(TRIES)


def _press(module: ModbusSimulator, number: int) -> None:
    module.press(number)
    time.sleep(0.2)
    module.release(number)


def _told(tries: int) -> int:
    """Return how many presses must be heard; the very first only gave a counter's baseline."""
    return 2 * tries - 1


def _heard(county: County, what: str, of: str = "") -> list[Heard]:
    first: dict[str, Heard] = {}
    for one in all_of(county, what):
        if of in ("", one.body["data"]["button"]):
            first.setdefault(str(one.body["id"]), one)
    return list(first.values())


def _nth(county: County, what: str, number: int) -> Heard:
    """Wait until it was said so many times of one of the buttons; return the last of them."""
    _until(lambda: len(_heard(county, what, "b-0")) >= number)
    return _heard(county, what, "b-0")[number - 1]


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + BACK_SECONDS
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(f"not heard in {BACK_SECONDS} s")
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
