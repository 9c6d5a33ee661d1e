"""The demo as a newcomer runs it, with the broker that needs no installation."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.deep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
def test_the_demo_exits_0(broker: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulators", "demo"],
        cwd=ROOT,
        env={**os.environ, "DEMO_BROKER": broker},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
