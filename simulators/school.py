"""A whole simulated school: every device of a scenario, run through its steps."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from simulators.archive import SimulatedChannel
from simulators.hikvision import HikvisionSimulator
from simulators.modbus import ModbusSimulator
from simulators.pn532 import Pn532Simulator
from simulators.rtsp import RtspSimulator
from simulators.scenario import Scenario, Step
from simulators.truth import Truth

USER = "inspector"
PASSWORD = "Nvr-4711-inspector"  # noqa: S105 - a simulated secret
ALARM_BAUD = 19200
TAP_SECONDS = 1.0
PEOPLE = ("county", "guard")

People = Mapping[tuple[str, str], Callable[[], None]]
NOBODY: People = {}


class School:
    """Devices of one scenario; `words` fill in the demo's site file."""

    def __init__(self, directory: Path, scenario: Scenario, truth: Truth) -> None:
        nvr: Mapping[str, object] = scenario.devices["nvr"]
        channels = int(str(nvr["channels"]))
        few = nvr.get("few_days", {})
        days = dict.fromkeys(range(1, channels + 1), int(str(nvr["days"])))
        if isinstance(few, Mapping):
            days |= {int(number): int(count) for number, count in few.items()}
        self._scenario = scenario
        self._alarm = ModbusSimulator(directory / "alarm", truth, baud=ALARM_BAUD)
        self._reader = Pn532Simulator(directory / "reader", truth)
        self._nvr = HikvisionSimulator(
            truth,
            user=USER,
            password=PASSWORD,
            channels=[
                SimulatedChannel(number, f"Camera {number:02}", depth_days=count)
                for number, count in days.items()
            ],
        )
        self._cameras = RtspSimulator(
            truth,
            user=USER,
            password=PASSWORD,
            channels=channels,
            holds=self._nvr.plays,
            loops=False,
        )
        self.words = {
            "DIR": str(directory),
            "HTTP": str(self._nvr.port),
            "RTSP": str(self._cameras.port),
            "CHANNELS": "\n".join(_channel(number) for number in days),
        }

    def start(self) -> None:
        """Switch everything on."""
        for device in (self._alarm, self._reader, self._cameras, self._nvr):
            device.start()

    def stop(self) -> None:
        """Switch everything off."""
        for device in (self._alarm, self._reader, self._cameras, self._nvr):
            device.stop()

    def play(self, say: Callable[[Step], None], people: People = NOBODY) -> None:
        """Run the scenario's steps at their seconds; returns when its time is over.

        What devices do not do is done by `people`; without them it is left undone.
        """
        started = time.monotonic()
        for step in self._scenario.steps:
            time.sleep(max(0.0, started + step.at - time.monotonic()))
            say(step)
            if step.device in PEOPLE:
                people.get((step.device, step.do), lambda: None)()
            else:
                self._do(step)
        time.sleep(max(0.0, started + self._scenario.seconds - time.monotonic()))

    def _do(self, step: Step) -> None:
        arguments = {name: str(value) for name, value in step.arguments.items()}
        match step.device, step.do:
            case "alarm", "press":
                self._alarm.press(int(arguments["input"]))
            case "alarm", "release":
                self._alarm.release(int(arguments["input"]))
            case "alarm", "unplug":
                self._alarm.line.unplug()
            case "alarm", "plug":
                self._alarm.line.plug()
            case "reader", "tap":
                self._reader.tap(bytes.fromhex(arguments["uid"]), TAP_SECONDS)
            case "camera", "scene":
                self._cameras.channel(int(arguments["channel"])).set_scene(arguments["scene"])
            case "camera", "stall":
                self._cameras.channel(int(arguments["channel"])).stall()
            case "nvr", "busy":
                self._nvr.fault = "busy"
                timer = threading.Timer(float(arguments["seconds"]), self._not_busy)
                timer.daemon = True
                timer.start()
            case device, action:
                raise ValueError(f"scenario: nothing knows how to {action} the {device}")

    def _not_busy(self) -> None:
        self._nvr.fault = None


def _channel(number: int) -> str:
    return (
        "  [[recorder.channel]]\n"
        f"  number = {number}\n"
        f'  id = "cam-{number}"\n'
        f'  name = "{number} 号通道"\n'
        f"  key_area = {'true' if number == 1 else 'false'}\n"
    )
