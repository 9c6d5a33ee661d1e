"""What is gone since an earlier run is taken away from the county, and nothing else."""

import json

from agent.county.contract import State
from agent.county.state_data import ReaderState
from agent.findings import Verdict
from agent.published import SETTLED_SECONDS, WRITTEN_TIMES, Published
from agent.states import StateBoard
from tests.simulated_clock import SimulatedClock


def board(*names: str) -> StateBoard:
    made = StateBoard(SimulatedClock())
    data = ReaderState(verdict=Verdict.OK, observed_at=None, firmware="1.6")
    made.due([State(id=name, data=data) for name in names])
    return made


def keys(*names: str) -> str:
    return json.dumps([["reader", name] for name in names])


def settled(published: Published) -> list[tuple[str, str]]:
    assert published.gone(100.0) == []  # not before every loop has spoken
    return published.gone(100.0 + SETTLED_SECONDS)


def test_what_is_gone_is_named_once_and_what_stays_is_not() -> None:
    published = Published(board("a", "b"), keys("a", "old"), lambda: True, complete=True)
    assert settled(published) == [("reader", "old")]
    assert published.gone(1000.0) == []


def test_the_list_keeps_what_is_gone_until_a_trusted_broker_had_time_for_it() -> None:
    trusted = False
    published = Published(board("a"), keys("old"), lambda: trusted, complete=True)
    assert json.loads(published.remember()) == [["reader", "a"], ["reader", "old"]]
    settled(published)
    for _ in range(5):
        assert ["reader", "old"] in json.loads(published.remember())
    trusted = True
    for _ in range(WRITTEN_TIMES):
        last = json.loads(published.remember())
    assert last == [["reader", "a"]]


def test_a_device_left_out_of_a_spoilt_file_is_not_gone() -> None:
    published = Published(board("a"), keys("a", "spoilt"), lambda: True, complete=False)
    assert settled(published) == []
    for _ in range(5):
        assert ["reader", "spoilt"] in json.loads(published.remember())


def test_a_list_that_makes_no_sense_is_none() -> None:
    for text in ("", "{", "[1]", '[["a"]]', "null"):
        assert settled(Published(board("a"), text, lambda: True, complete=True)) == []
