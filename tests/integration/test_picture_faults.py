"""Sick pictures drawn and coded as a camera would, and what is said of them."""

import io
from datetime import UTC, datetime

import av
import numpy as np
import pytest

from agent.monitors.picture import picture_causes
from agent.policy import PicturePolicy
from drivers.image_quality import picture_features
from drivers.readings import PictureReading
from simulators.scenes import SCENES
from simulators.video import encode


def coded(scene: str, kbps: int) -> PictureReading:
    """Send a scene through H.264 and measure its second key frame."""
    clip = encode(SCENES[scene], 640, 360, kbps=kbps, frames=30)
    with av.open(io.BytesIO(clip.annex_b()), "r", format="h264") as container:
        frames = [one for one in container.decode(video=0) if one.key_frame]
    picture = frames[-1].to_ndarray(format="bgr24").astype(np.uint8)
    features = picture_features(picture)
    return PictureReading(device_id="cam", observed_at=datetime.now(UTC), **features.model_dump())


@pytest.mark.parametrize(
    ("scene", "codes"),
    [
        ("gate", set()),
        ("corridor", set()),
        ("noisy", {"camera.noise"}),
        ("snow", {"camera.snow"}),
        ("pink", {"camera.colour_cast"}),
        ("black", {"camera.black"}),
        ("no_signal", {"camera.no_signal"}),
        ("dark", {"camera.dark"}),
        ("overexposed", {"camera.white"}),
    ],
)
@pytest.mark.parametrize("kbps", [1000, 4000])
def test_a_sick_picture_is_named_after_it_was_coded(scene: str, codes: set[str], kbps: int) -> None:
    found = picture_causes(coded(scene, kbps), PicturePolicy())
    told = {cause.code for cause in found.values() if cause}
    assert codes <= told, told
    assert told - codes <= ({"camera.noise"} if scene == "snow" else set()), told
