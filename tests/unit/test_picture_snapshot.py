"""JPEGs from strangers: their size is read before they are decoded, and nonsense is none."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.picture_snapshot import decode_jpeg, jpeg_size
from simulators import scenes


def coded(width: int, height: int, *options: int) -> bytes:
    done, body = cv2.imencode(".jpg", scenes.gate(0, width, height), list(options))
    assert done
    return body.tobytes()


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (640, 360), (352, 288)])
def test_size_and_picture(width: int, height: int, options: tuple[int, ...]) -> None:
    body = coded(width, height, *options)
    assert jpeg_size(body) == (width, height)
    picture = decode_jpeg(body)
    assert picture is not None
    assert picture.shape[1] <= 640
    assert picture.shape[0] <= 360
    drawn = cv2.resize(scenes.gate(0, width, height), picture.shape[1::-1])
    assert abs(float(picture.mean()) - float(drawn.mean())) < 3


def test_a_monstrous_picture_is_not_decoded() -> None:
    body = bytearray(coded(640, 360))
    at = body.index(b"\xff\xc0")
    body[at + 5 : at + 9] = (9000).to_bytes(2, "big") * 2
    assert jpeg_size(bytes(body)) == (9000, 9000)
    assert decode_jpeg(bytes(body)) is None


def test_fill_bytes_before_a_marker_are_passed_over() -> None:
    body = coded(640, 360)
    assert jpeg_size(body[:2] + b"\xff\xff" + body[2:]) == (640, 360)


@given(st.binary(max_size=300))
def test_nonsense_is_no_picture(noise: bytes) -> None:
    assert decode_jpeg(b"\xff\xd8" + noise) is None or jpeg_size(b"\xff\xd8" + noise) is not None
    jpeg_size(noise)


@given(st.integers(0, 4000), st.integers(0, 255))
def test_a_damaged_picture_is_a_picture_or_none(at: int, byte: int) -> None:
    body = bytearray(coded(352, 288))
    body[at % len(body)] = byte
    picture = decode_jpeg(bytes(body))
    assert picture is None or picture.dtype == np.uint8
