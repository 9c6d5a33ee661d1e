"""Many cameras that change together are one event, and none of them is lost."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from agent.county.contract import Event
from agent.county.event_data import CameraEventData
from agent.findings import Cause, Verdict
from agent.monitors import Instant
from agent.monitors.camera_changes import HOLD_SECONDS, CameraChanges

START = datetime(2026, 9, 1, tzinfo=UTC)


def at(seconds: float) -> Instant:
    return Instant(START + timedelta(seconds=seconds), 100.0 + seconds)


def change(number: int, *codes: str, what: Literal["fault", "cleared"] = "fault") -> Event:
    causes = tuple(Cause(code=f"camera.{code}", params={"fps": number}) for code in codes)
    verdict = Verdict.FAIL if codes else Verdict.OK
    data = CameraEventData(what=what, camera=f"cam-{number}", verdict=verdict, causes=causes)
    return Event(subject=f"cam-{number}", time=START, data=data)


def data(event: Event) -> CameraEventData:
    assert isinstance(event.data, CameraEventData)
    return event.data


def test_a_few_cameras_are_told_at_once() -> None:
    changes = CameraChanges(8)
    assert changes.add([change(1, "black")], at(0)) == [change(1, "black")]
    assert changes.due(at(3600)) == []


def test_a_change_that_comes_alone_is_told_as_it_was_a_moment_later() -> None:
    changes = CameraChanges(12)
    assert changes.add([change(1, "black")], at(0)) == []
    assert changes.add([change(2, what="cleared")], at(HOLD_SECONDS - 1)) == []
    assert changes.due(at(HOLD_SECONDS - 1)) == []
    assert list(changes.due(at(HOLD_SECONDS))) == [
        change(1, "black"), change(2, what="cleared"),
    ]  # fmt: skip
    assert changes.due(at(7200)) == []


def test_a_third_of_the_cameras_are_one_event() -> None:
    changes = CameraChanges(12)
    for number in range(1, 5):
        changes.add([change(number, "refused", *(["low_fps"] if number == 1 else []))], at(number))
    changes.add([change(9, what="cleared")], at(9))
    joint, alone = changes.due(at(HOLD_SECONDS + 1))
    assert joint.subject == "cameras"
    assert data(joint).cameras == ("cam-1", "cam-2", "cam-3", "cam-4")
    assert [cause.code for cause in data(joint).causes] == ["camera.refused", "camera.low_fps"]
    assert all(cause.params == {} for cause in data(joint).causes)
    assert (data(joint).verdict, alone) == (Verdict.FAIL, change(9, what="cleared"))


def test_a_camera_that_comes_and_goes_is_told_of_twice() -> None:
    changes = CameraChanges(12)
    changes.add([change(1, "black")], at(0))
    changes.add([change(1, what="cleared")], at(20))
    assert [data(one).what for one in changes.due(at(HOLD_SECONDS))] == ["fault", "cleared"]


def test_what_was_held_outlives_new_settings() -> None:
    changes = CameraChanges(12)
    changes.add([change(1, "black")], at(0))
    after = CameraChanges(3, changes)
    assert list(after.due(at(HOLD_SECONDS))) == [change(1, "black")]
