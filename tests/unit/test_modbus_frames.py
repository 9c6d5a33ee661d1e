import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.alarm import modbus_frames as frames
from drivers.errors import BusyError, DriverError, ProtocolError, UnsupportedDeviceError

# MODBUS over Serial Line V1.02, 6.2.2, and the CRC catalogue's CRC-16/MODBUS: "123456789" is 4B37.
CHECK = bytes.fromhex("374b")
# Waveshare "Modbus RTU IO 8CH" protocol manual: read 8 inputs of unit 1, and its reply.
REQUEST = bytes.fromhex("01 02 00 00 00 08 79 cc")
REPLY_2_AND_7 = bytes.fromhex("01 02 01 84 a1 eb")
EXCEPTION_2 = bytes.fromhex("01 82 02 c1 61")


def test_the_crc_is_the_published_one() -> None:
    assert frames.crc(b"123456789") == CHECK


def test_a_request_is_the_published_one() -> None:
    assert frames.read_request(1, frames.READ_DISCRETE_INPUTS, 0, 8) == REQUEST


def test_a_published_reply_is_read() -> None:
    data = frames.reply_data(REPLY_2_AND_7, REQUEST, 1)
    on = [index for index, closed in enumerate(frames.bits(data, 8)) if closed]
    assert on == [2, 7]


def test_registers_are_read_high_byte_first() -> None:
    # MODBUS Application Protocol V1.1b3, 6.4, example: register 8 holds 00 0A.
    assert frames.registers(bytes.fromhex("000a 1234")) == (10, 0x1234)


def test_a_published_exception_says_what_to_check() -> None:
    with pytest.raises(UnsupportedDeviceError, match="check how many"):
        frames.reply_data(EXCEPTION_2, REQUEST, 1)


def test_exception_6_is_only_busy() -> None:
    body = bytes((1, 0x82, 6))
    with pytest.raises(BusyError):
        frames.reply_data(body + frames.crc(body), REQUEST, 1)


@pytest.mark.parametrize(
    "spoiled",
    [
        REPLY_2_AND_7[:-1] + b"\x00",
        REPLY_2_AND_7[:-2],
        b"",
        bytes.fromhex("02 02 01 84") + frames.crc(bytes.fromhex("02 02 01 84")),
        bytes.fromhex("01 02 02 84 00") + frames.crc(bytes.fromhex("01 02 02 84 00")),
        bytes.fromhex("01 04 01 84") + frames.crc(bytes.fromhex("01 04 01 84")),
    ],
    ids=["crc", "short", "empty", "other unit", "other length", "other function"],
)
def test_what_is_not_the_answer_is_refused(spoiled: bytes) -> None:
    with pytest.raises(ProtocolError):
        frames.reply_data(spoiled, REQUEST, 1)


@given(st.binary(max_size=40))
def test_noise_is_never_an_answer_by_accident(noise: bytes) -> None:
    try:
        data = frames.reply_data(noise, REQUEST, 1)
    except DriverError:
        return
    assert frames.crc(noise[:-2]) == noise[-2:]
    assert data == noise[3:4]
