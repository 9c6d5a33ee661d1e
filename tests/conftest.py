"""What every test may use: the simulated clock, the hypothesis profiles, free ports."""

import os
import socket
from collections.abc import Callable

import pytest
from hypothesis import settings

from tests.simulated_clock import SimulatedClock

# The gate answers the same twice; new examples are looked for by `make deep`.
settings.register_profile("gate", max_examples=60, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return find
