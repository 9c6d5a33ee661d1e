"""The modem line driver against a terminal server on loopback, and on ports that are not one."""

import fcntl
import gc
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from drivers.alarm.modem_lines import ModemLinesDriver, ModemLinesSettings
from drivers.errors import PortLostError, UnsupportedDeviceError
from drivers.readings import ChallengeResult, LoopReading, LoopState
from drivers.serial_port import SerialPort
from simulators.modem_lines import ModemLinesSimulator
from simulators.pty_line import PtyLine
from simulators.truth import Truth
from tests.waiting import wait_until

CLOCK = SystemClock()
BOTH = {"closed_at_rest": "cts", "open_at_rest": "dsr"}


class Watch:
    """Polls a driver on a thread of its own, as the agent does, and keeps what it says."""

    def __init__(self, driver: ModemLinesDriver) -> None:
        self.readings: list[LoopReading] = []
        self.lost: Exception | None = None
        self._driver = driver
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                for reading in self._driver.poll(deadline=CLOCK.monotonic() + 1):
                    assert isinstance(reading, LoopReading)
                    self.readings.append(reading)
            except PortLostError as error:
                self.lost = error
                return

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for(self, state: LoopState) -> None:
        wait_until(lambda: bool(self.readings) and self.readings[-1].state is state)

    def wait_for_challenge(self, result: ChallengeResult) -> None:
        wait_until(lambda: bool(self.readings) and self.readings[-1].challenge is result)

    def changes_to(self, state: LoopState) -> list[float]:
        states = [None, *(reading.state for reading in self.readings)]
        return [
            reading.observed_at.timestamp()
            for before, reading in zip(states, self.readings, strict=False)
            if reading.state is state and before is not state
        ]


def settings(port: str, **more: object) -> ModemLinesSettings:
    return ModemLinesSettings.model_validate({"id": "dut", "port": port, **BOTH, **more})


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def server(truth: Truth) -> Iterator[ModemLinesSimulator]:
    simulator = ModemLinesSimulator(truth)
    simulator.plug()
    yield simulator
    simulator.unplug()


@pytest.fixture
def driver(server: ModemLinesSimulator) -> Iterator[ModemLinesDriver]:
    made = ModemLinesDriver(settings(server.url, challenge_seconds=1), CLOCK)
    made.open()
    yield made
    made.close()


@pytest.fixture
def watch(driver: ModemLinesDriver) -> Iterator[Watch]:
    made = Watch(driver)
    yield made
    made.stop()


@pytest.mark.parametrize("poles", [BOTH, {"open_at_rest": "dsr"}, {"closed_at_rest": "cts"}])
def test_every_press_of_100_ms_is_seen(
    server: ModemLinesSimulator, truth: Truth, poles: dict[str, str]
) -> None:
    wanted = {"id": "dut", "port": server.url, **poles, "challenge_seconds": 3600}
    driver = ModemLinesDriver(ModemLinesSettings.model_validate(wanted), CLOCK)
    driver.open()
    watch = Watch(driver)
    watch.wait_for(LoopState.REST)
    time.sleep(0.4)  # the first challenge
    for _ in range(12):
        server.press()
        time.sleep(0.1)
        server.release()
        time.sleep(0.3 + random.random() / 10)
    watch.wait_for(LoopState.REST)
    watch.stop()
    driver.close()
    pressed = [float(str(line["t"])) for line in truth.lines("press")]
    seen = watch.changes_to(LoopState.PRESSED)
    assert len(seen) == len(pressed) == 12
    assert all(at < when < at + 0.5 for at, when in zip(pressed, seen, strict=True))


def test_cut_and_short_are_seen_and_mended(server: ModemLinesSimulator, watch: Watch) -> None:
    watch.wait_for(LoopState.REST)
    for harm, state in ((server.cut, LoopState.OPEN), (server.short, LoopState.SHORT)):
        harm()
        watch.wait_for(state)
        server.mend()
        watch.wait_for(LoopState.REST)
    server.stop_halfway()
    watch.wait_for(LoopState.OPEN)
    assert watch.changes_to(LoopState.PRESSED) == []


def test_a_loop_fed_from_elsewhere_fails_its_challenge(
    server: ModemLinesSimulator, watch: Watch
) -> None:
    watch.wait_for_challenge(ChallengeResult.PASSED)
    server.stick()
    watch.wait_for_challenge(ChallengeResult.FAILED)
    server.mend()
    watch.wait_for_challenge(ChallengeResult.PASSED)
    assert {reading.state for reading in watch.readings} == {LoopState.REST}


def test_a_terminal_server_that_falls_silent_is_lost_within_two_seconds(
    server: ModemLinesSimulator, watch: Watch
) -> None:
    watch.wait_for_challenge(ChallengeResult.PASSED)
    server.silent = True
    fell = time.monotonic()
    wait_until(lambda: watch.lost is not None)
    assert time.monotonic() - fell < 3  # two, and the margin of a busy machine
    assert "dut" in str(watch.lost)


def test_unplugged_is_lost_and_a_button_held_meanwhile_is_found_pressed(
    server: ModemLinesSimulator, driver: ModemLinesDriver, watch: Watch
) -> None:
    watch.wait_for(LoopState.REST)
    server.unplug()
    wait_until(lambda: watch.lost is not None)
    driver.close()
    with pytest.raises(PortLostError, match="dut"):
        driver.open()
    server.press()
    server.plug()
    driver.open()
    first = next(iter(driver.poll(deadline=CLOCK.monotonic() + 1)))
    assert isinstance(first, LoopReading)
    assert (first.state, first.lines) == (LoopState.PRESSED, ("dsr",))


def test_a_reset_connection_is_lost_and_leaves_nothing_open(
    server: ModemLinesSimulator, driver: ModemLinesDriver, watch: Watch
) -> None:
    watch.wait_for(LoopState.REST)
    server.reset_connection()
    wait_until(lambda: watch.lost is not None)
    gc.collect()  # a socket left open would warn here, and warnings are errors
    driver.open()
    assert list(driver.poll(deadline=CLOCK.monotonic() + 1))


@pytest.mark.parametrize("feed", ["dtr", "rts"])
def test_only_the_feed_is_up_and_it_drops_with_the_port(
    server: ModemLinesSimulator, feed: str
) -> None:
    driver = ModemLinesDriver(settings(server.url, feed=feed), CLOCK)
    driver.open()
    assert (server.port.dtr, server.port.rts) == (feed == "dtr", feed == "rts")
    driver.close()
    wait_until(lambda: not server.port.dtr and not server.port.rts)


def test_a_port_without_modem_lines_is_told_apart_from_a_lost_one(tmp_path: Path) -> None:
    line = PtyLine(tmp_path / "no-lines", 9600, lambda _: None)
    line.plug()
    driver = ModemLinesDriver(settings(str(line.path)), CLOCK)
    with pytest.raises(UnsupportedDeviceError, match=r"dut.*no-lines has no modem lines"):
        driver.open()
    line.unplug()
    with pytest.raises(PortLostError, match="cannot be opened"):
        driver.open()


def test_the_kernel_tells_all_lines_in_one_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = PtyLine(tmp_path / "tty", 9600, lambda _: None)
    line.plug()
    port = SerialPort(str(line.path), 9600, CLOCK)
    port.open()
    # ioctl_tty(2), asm-generic/termios.h: CTS 0x020, CD 0x040, RI 0x080, DSR 0x100; DTR, RTS 0x6.
    for word, lines in ((0x126, {"cts", "dsr"}), (0xC0, {"cd", "ri"}), (0x06, set())):
        monkeypatch.setattr(fcntl, "ioctl", lambda *_, word=word: word.to_bytes(4, "little"))
        assert port.read_lines() == lines
    monkeypatch.undo()
    port.close()
    line.unplug()


# ---- the simulator against RFC 2217 itself, byte by byte


def test_the_simulator_speaks_as_rfc_2217_says(server: ModemLinesSimulator) -> None:
    with socket.create_connection(("127.0.0.1", server.tcp_port), timeout=5) as client:
        heard = b""

        def hear(frame: str) -> None:
            nonlocal heard
            while bytes.fromhex(frame) not in heard:
                got = client.recv(1024)
                assert got, f"never said {frame}: {heard.hex(' ')}"
                heard += got
            heard = heard.partition(bytes.fromhex(frame))[2]

        # RFC 2217 3: IAC WILL COM-PORT-OPTION (44); then NOTIFY-MODEMSTATE (107), all lines off.
        client.sendall(bytes.fromhex("FF FB 2C"))
        hear("FF FA 2C 6B 00 FF F0")
        # SET-CONTROL (5) 8, DTR on, answered by 105; then CTS (16) and its delta (1).
        client.sendall(bytes.fromhex("FF FA 2C 05 08 FF F0"))
        hear("FF FA 2C 69 08 FF F0")
        hear("FF FA 2C 6B 11 FF F0")
        server.press()  # DSR (32), delta DSR (2), delta CTS (1)
        hear("FF FA 2C 6B 23 FF F0")
        client.sendall(bytes.fromhex("FF FA 2C 05 09 FF F0"))  # SET-CONTROL 9, DTR off
        hear("FF FA 2C 6B 02 FF F0")


def test_the_simulator_takes_one_client_at_a_time(
    server: ModemLinesSimulator, driver: ModemLinesDriver, truth: Truth
) -> None:
    with socket.create_connection(("127.0.0.1", server.tcp_port), timeout=5) as second:
        assert second.recv(1) == b""
    assert len(truth.lines("refused")) == 1
    assert list(driver.poll(deadline=CLOCK.monotonic() + 1))
