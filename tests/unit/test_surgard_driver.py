"""The Sur-Gard driver over a scripted line: every byte and every instant is chosen here."""

from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from drivers.alarm.surgard import SurgardDriver, SurgardSettings
from drivers.base import Confirming, Driver
from drivers.errors import DeviceTimeoutError, PortLostError, ProtocolError
from drivers.readings import ContactIdEvent, HeartbeatReading, Reading, ReceiverReading, Unknown
from tests.simulated_clock import SimulatedClock

# MLR2-E installation manual, "Contact-ID protocol"; MLR2-DG manual, heartbeat and SIA protocol.
DURESS = b"5011 181234E12101001\x14"
HEARTBEAT = b"1011           @    \x14"
SIA = b"3011      1234BA0001\x14"
ACK, NAK = b"\x06", b"\x15"


class ScriptedPort:
    """Stands in for SerialPort: brings bytes at their instants, and costs simulated time."""

    url = "scripted"

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._coming: list[tuple[float, int]] = []
        self.written: list[tuple[float, bytes]] = []
        self.lost = False

    @property
    def answers(self) -> list[bytes]:
        return [data for _, data in self.written]

    def bring(self, data: bytes, *, after: float = 0.0) -> None:
        """Let `data` arrive, all at once, so many seconds from now."""
        at = self._clock.monotonic() + after
        self._coming += [(at, byte) for byte in data]
        self._coming.sort(key=lambda one: one[0])

    def open(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def read(self, size: int, *, deadline: float) -> bytes:
        assert size == 1
        now = self._clock.monotonic()
        if self.lost:
            raise PortLostError("gone")
        if self._coming and self._coming[0][0] <= max(now, deadline):
            at, byte = self._coming.pop(0)
            self._clock.advance(max(0.0, at - now))
            return bytes((byte,))
        self._clock.advance(max(0.0, deadline - now))
        return b""

    def write(self, data: bytes) -> None:
        self.written.append((self._clock.monotonic(), data))


class Bench:
    """A driver, its line and its clock."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.port = ScriptedPort(clock)
        self.driver = SurgardDriver(SurgardSettings(id="host", port="scripted"), clock)
        vars(self.driver)["_port"] = self.port
        self.driver.open()

    def poll(self, seconds: float = 1.0) -> list[Reading]:
        return list(self.driver.poll(deadline=self.clock.monotonic() + seconds))

    def hear(self, data: bytes) -> ReceiverReading:
        """Bring one line and return what was learned."""
        self.port.bring(data)
        (reading,) = self.poll()
        assert isinstance(reading, ReceiverReading)
        return reading

    def idle(self, seconds: float) -> None:
        """Poll on a line that brings a heartbeat every 30 s, as long as told."""
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0:
            self.port.bring(HEARTBEAT, after=min(left, 30))
            while self.clock.monotonic() < until and not self.poll(min(left, 30) + 1):
                pass


@pytest.fixture
def bench(clock: SimulatedClock) -> Bench:
    return Bench(clock)


def test_it_meets_its_protocols(bench: Bench) -> None:
    driver: Driver = bench.driver
    confirming: Confirming = bench.driver
    assert driver.device_id == "host"
    confirming.confirm("a token of nobody's")
    assert bench.poll() == []
    assert bench.port.answers == []


def test_a_line_is_answered_only_once_it_is_confirmed(bench: Bench) -> None:
    reading = bench.hear(DURESS)
    assert reading.event == ContactIdEvent(
        account="1234", qualifier="new", code="121", partition="01", zone="001"
    )
    bench.poll(1.0)
    assert bench.port.answers == []
    bench.driver.confirm(reading.token)
    confirmed_at = bench.clock.monotonic()
    bench.poll(1.0)
    assert bench.port.answers == [ACK]
    assert bench.port.written[0][0] - confirmed_at <= 0.11


def test_a_confirmation_during_the_poll_is_answered_in_it(bench: Bench) -> None:
    bench.port.bring(DURESS)
    for reading in bench.driver.poll(deadline=bench.clock.monotonic() + 1):
        assert isinstance(reading, ReceiverReading)
        bench.driver.confirm(reading.token)
    assert bench.port.answers == [ACK]


def test_a_late_ack_is_kept_back_and_the_resend_is_answered_at_once(bench: Bench) -> None:
    """After 4 s the receiver may have another line on its way that would be taken for ACKed."""
    first = bench.hear(DURESS)
    bench.poll(3.8)
    bench.driver.confirm(first.token)
    bench.poll(1.0)
    assert bench.port.answers == []
    again = bench.hear(DURESS)
    assert bench.port.answers == [ACK]
    assert (again.resend, again.token) == (True, first.token)


def test_no_answer_goes_out_while_another_line_is_coming(bench: Bench) -> None:
    first = bench.hear(DURESS)
    bench.port.bring(SIA[:7])
    bench.poll(0.2)
    bench.driver.confirm(first.token)
    bench.poll(0.2)
    assert bench.port.answers == []
    second = bench.hear(SIA[7:])
    bench.poll(0.2)
    assert bench.port.answers == []
    bench.driver.confirm(second.token)
    bench.poll(0.2)
    assert bench.port.answers == [ACK]


def test_half_a_line_that_never_ends_does_not_withhold_the_answer(bench: Bench) -> None:
    reading = bench.hear(DURESS + b"\xff5")
    bench.driver.confirm(reading.token)
    bench.poll(1.0)
    assert bench.port.answers == [ACK]


def test_one_burst_is_answered_once_and_only_when_all_of_it_is_owned(bench: Bench) -> None:
    bench.port.bring(DURESS + SIA + HEARTBEAT)
    first, second, beat = bench.poll()
    assert isinstance(first, ReceiverReading)
    assert isinstance(second, ReceiverReading)
    assert isinstance(beat, HeartbeatReading)
    bench.driver.confirm(second.token)
    bench.poll(0.2)
    assert bench.port.answers == []
    bench.driver.confirm(first.token)
    bench.poll(0.2)
    assert bench.port.answers == [ACK]


def test_a_line_nobody_owned_does_not_withhold_the_answer_to_a_later_heartbeat(
    bench: Bench,
) -> None:
    """A receiver that gave up starts again with the first heartbeat that is answered."""
    bench.hear(DURESS)
    bench.poll(16)
    bench.port.bring(HEARTBEAT)
    bench.poll()
    assert bench.port.answers == [ACK]


def test_a_resend_after_our_ack_has_a_token_of_its_own(bench: Bench) -> None:
    first = bench.hear(DURESS)
    bench.driver.confirm(first.token)
    bench.poll(3.9)
    again = bench.hear(DURESS)
    assert bench.port.answers == [ACK, ACK]
    assert again.resend
    assert again.token != first.token


def test_the_same_line_after_another_word_is_not_answered_before_it_is_owned(
    bench: Bench,
) -> None:
    first = bench.hear(DURESS)
    bench.driver.confirm(first.token)
    bench.poll(0.2)
    bench.port.bring(HEARTBEAT)
    bench.poll()
    again = bench.hear(DURESS)
    bench.poll(0.2)
    assert bench.port.answers == [ACK, ACK]
    assert again.resend
    bench.driver.confirm(again.token)
    bench.poll(0.2)
    assert bench.port.answers == [ACK, ACK, ACK]


@pytest.mark.parametrize(("seconds", "resend"), [(59.0, True), (61.0, False)])
def test_after_a_minute_the_same_line_is_new(bench: Bench, seconds: float, resend: bool) -> None:
    bench.port.bring(DURESS)
    bench.poll()
    bench.port.bring(DURESS, after=seconds)
    until = bench.clock.monotonic() + seconds + 1
    heard: Sequence[Reading] = []
    while not heard and bench.clock.monotonic() < until:
        heard = bench.poll()
    (again,) = heard
    assert isinstance(again, ReceiverReading)
    assert again.resend is resend


def test_heartbeats_are_answered_and_learned(bench: Bench) -> None:
    bench.port.bring(HEARTBEAT)
    (reading,) = bench.poll()
    assert reading == HeartbeatReading(
        device_id="host", observed_at=reading.observed_at, receiver="01", line="1"
    )
    assert bench.port.answers == [ACK]


def test_another_protocol_is_kept_raw_and_answered_once_owned(bench: Bench) -> None:
    reading = bench.hear(SIA)
    assert (reading.understood, reading.raw) == (False, "3011      1234BA0001")
    assert isinstance(reading.event, Unknown)
    assert reading.event.reason == "not_supported"
    bench.driver.confirm(reading.token)
    bench.poll(0.2)
    assert bench.port.answers == [ACK]


def test_noise_is_refused_and_named_and_its_repetition_is_taken(bench: Bench) -> None:
    odd = b"5011 nonsense\x14"
    bench.port.bring(odd)
    with pytest.raises(ProtocolError, match=r"alarm receiver host on scripted.*nonsense.*check"):
        bench.poll()
    assert bench.port.answers == [NAK]
    reading = bench.hear(odd)
    assert isinstance(reading.event, Unknown)
    assert reading.event.reason == "malformed"
    bench.driver.confirm(reading.token)
    bench.poll(0.2)
    assert bench.port.answers == [NAK, ACK]


def test_a_babbling_line_is_an_error_and_costs_no_more_than_the_deadline(bench: Bench) -> None:
    for at in range(2000):
        bench.port.bring(b"\x55", after=at / 1000)
    started = bench.clock.monotonic()
    with pytest.raises(ProtocolError):
        bench.poll(1.0)
    assert bench.clock.monotonic() - started <= 1.01


def test_silence_is_a_timeout_after_two_and_a_half_heartbeats(bench: Bench) -> None:
    assert bench.poll(74.0) == []
    with pytest.raises(DeviceTimeoutError, match=r"alarm receiver host on scripted.*heartbeat"):
        bench.poll(2.0)
    # It is said once a poll, not ten times a second for as long as it lasts.
    before = bench.clock.monotonic()
    with pytest.raises(DeviceTimeoutError):
        bench.poll(1.0)
    assert bench.clock.monotonic() - before == pytest.approx(1.0)
    bench.port.bring(HEARTBEAT)
    assert len(bench.poll()) == 1
    assert bench.poll(74.0) == []


@pytest.mark.parametrize("noise", [b"%d?\x14", b"%.0s??\x14"], ids=["changing", "the same"])
def test_noise_is_no_sign_of_life(bench: Bench, noise: bytes) -> None:
    for at in range(0, 80, 10):
        bench.port.bring(noise % (str(at).encode() if b"s" in noise else at), after=at)
    errors: list[type[Exception]] = []
    while bench.clock.monotonic() < 1000 + 79:
        try:
            heard = bench.poll()
        except (ProtocolError, DeviceTimeoutError) as error:
            errors.append(type(error))
        else:
            assert not any(isinstance(one, HeartbeatReading) for one in heard)
    assert DeviceTimeoutError in errors


def test_coming_and_going_gives_the_receiver_no_more_time(bench: Bench) -> None:
    bench.poll(40)
    bench.driver.close()
    bench.driver.open()
    with pytest.raises(DeviceTimeoutError):
        bench.poll(40)


def test_a_restarted_line_still_knows_what_is_owned(bench: Bench) -> None:
    first = bench.hear(DURESS)
    bench.driver.confirm(first.token)
    bench.driver.close()
    bench.driver.open()
    bench.poll(0.2)
    assert bench.port.answers == []
    again = bench.hear(DURESS)
    assert (again.token, bench.port.answers) == (first.token, [ACK])


def test_a_lost_port_names_the_receiver(bench: Bench) -> None:
    bench.port.lost = True
    with pytest.raises(PortLostError, match="alarm receiver host on scripted: gone"):
        bench.poll()


def test_a_day_of_heartbeats_and_repeats_is_not_remembered_for_ever(bench: Bench) -> None:
    for number in range(50):
        reading = bench.hear(b"5011 181234E120010%02d\x14" % number)
        bench.driver.confirm(reading.token)
        bench.idle(5)
    assert len(bench.driver._said) <= 13


@pytest.mark.parametrize(
    "wrong", [{"data_bits": 6}, {"heartbeat_seconds": 0}, {"baud": 1}, {"driver": "modbus"}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SurgardSettings.model_validate({"id": "host", "port": "x", **wrong})
