"""What every test may use: the simulated clock, the hypothesis profiles, free ports."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from simulators.county import County
from tests.contract_watch import offences
from tests.simulated_clock import SimulatedClock

# The gate answers the same twice; new examples are looked for by `make deep`.
settings.register_profile("gate", max_examples=40, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=10_000, deadline=None)
# Parsers that read what devices send: a hundred thousand malformed streams each.
settings.register_profile("bytes", max_examples=100_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


@pytest.fixture(scope="session", autouse=True)
def heard_against_the_contract() -> Iterator[list[str]]:
    """Have all that any county hears held against the contract; yields what was wrong."""
    found: list[str] = []
    take = County._on_message

    def check(county: County, client: object, userdata: object, message: Any) -> None:
        body = json.loads(message.payload) if message.payload else {}
        found.extend(offences(message.topic, body))
        take(county, client, userdata, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(County, "_on_message", check)
        yield found


@pytest.fixture(autouse=True)
def contract(heard_against_the_contract: list[str]) -> Iterator[None]:
    yield
    wrong, heard_against_the_contract[:] = list(heard_against_the_contract), []
    assert wrong == []


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
