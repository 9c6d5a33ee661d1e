"""How long a button's edge takes to a reading over RFC 2217 on loopback.

    python -m tests.benchmarks.modem_lines [presses]

One JSON line a figure. The floor of the pressed edge is the pace of both ends: 10 ms at which the
simulated terminal server looks at its lines, 20 ms at which the driver does.
"""

import random
import sys
import threading
from time import monotonic, process_time, sleep

from agent.clock import SystemClock
from drivers.alarm.modem_lines import ModemLinesDriver, ModemLinesSettings
from drivers.readings import LoopReading, LoopState
from simulators.modem_lines import LOOK_EVERY_SECONDS, ModemLinesSimulator
from simulators.truth import Truth
from tests.benchmarks.figures import Figures, percentile

IDLE_SECONDS = 10.0


class Reader:
    """Polls on a thread of its own; keeps when each state was first read, and the gaps."""

    def __init__(self, settings: ModemLinesSettings) -> None:
        self.gaps: list[float] = []
        self._driver = ModemLinesDriver(settings, SystemClock())
        self._read: dict[LoopState, float] = {}
        self._told = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._driver.open()
        before: LoopState | None = None
        while not self._stop.is_set():
            for reading in self._driver.poll(deadline=monotonic() + 1):
                if not isinstance(reading, LoopReading):
                    continue
                self.gaps.append(reading.longest_gap_seconds)
                if reading.state is not before:
                    before = reading.state
                    with self._told:
                        self._read[before] = monotonic()
                        self._told.notify()
        self._driver.close()

    def forget(self) -> None:
        """Wait for what comes from now on."""
        with self._told:
            self._read.clear()

    def when(self, state: LoopState) -> float:
        """Wait until the state has been read; return when."""
        with self._told:
            if not self._told.wait_for(lambda: state in self._read, timeout=5):
                raise SystemExit(f"{state} was not read")
            return self._read[state]

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()


def edges(simulator: ModemLinesSimulator, reader: Reader, count: int) -> list[float]:
    """Press `count` times at chance instants; milliseconds from edge to reading, sorted."""
    took = []
    for _ in range(count):
        sleep(0.05 + random.random() / 10)
        reader.forget()
        pressed = monotonic()
        simulator.press()
        took.append(1000 * (reader.when(LoopState.PRESSED) - pressed))
        simulator.release()
        reader.when(LoopState.REST)
    return sorted(took)


def main() -> None:
    """Print p50 and p99 for both kinds of wiring, the gaps, and what it costs to do nothing."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    figures = Figures("modem_lines")
    simulator = ModemLinesSimulator(Truth())
    simulator.plug()
    two_poles = ModemLinesSettings(
        id="bench", port=simulator.url, closed_at_rest="cts", open_at_rest="dsr"
    )
    bare = ModemLinesSettings(id="bench", port=simulator.url, open_at_rest="dsr")
    for wiring, settings, looks in (("two_poles", two_poles, 1), ("bare_line", bare, 2)):
        reader = Reader(settings)
        reader.when(LoopState.REST)
        took = edges(simulator, reader, count)
        for share in (50, 99):
            floor = 1000 * share / 100 * LOOK_EVERY_SECONDS
            floor += 1000 * settings.sample_seconds * (looks - 1 + share / 100)
            figures.print(
                f"edge_to_reading_{wiring}_p{share}",
                percentile(took, share),
                "ms",
                n=count,
                baseline=floor,
            )
        reader.stop()
    challenged = two_poles.model_copy(update={"challenge_seconds": 1.0})
    reader = Reader(challenged)
    reader.when(LoopState.REST)
    reader.gaps.clear()
    used, began = process_time(), monotonic()
    sleep(IDLE_SECONDS)
    share_of_core = 100 * (process_time() - used) / (monotonic() - began)
    gaps = sorted(1000 * gap for gap in reader.gaps)
    reader.stop()
    simulator.unplug()
    figures.print("longest_gap_of_a_challenge", gaps[-1], "ms", n=int(IDLE_SECONDS))
    figures.print("driver_and_simulator_at_rest", share_of_core, "% of a core", n=1)


if __name__ == "__main__":
    main()
