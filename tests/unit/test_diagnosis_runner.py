"""The runner: results as they come, a deadline each, and nothing of ours ever raised."""

import threading
import time
from collections.abc import Iterator

from agent.diagnosis.checks import Check, CheckResult, result, seen
from agent.diagnosis.runner import AT_ONCE, run

SECRET = "hunter2-fake"


def well(what: str) -> CheckResult:
    return result(what, evidence=seen("answers"))


def test_results_come_as_they_are_known_and_not_at_the_end() -> None:
    go_on = threading.Event()

    def slow() -> Iterator[CheckResult]:
        yield well("alarm.lines")
        assert go_on.wait(5)
        yield well("reader.all")

    found = run([Check("alarm.lines", slow)])
    assert next(found).id == "alarm.lines"
    go_on.set()
    assert [one.id for one in found] == ["reader.all"]


def test_a_hung_check_costs_its_own_slot_and_becomes_unknown() -> None:
    released = threading.Event()

    def hangs() -> Iterator[CheckResult]:
        released.wait(20)
        yield well("recorder.reach")

    began = time.monotonic()
    checks = [Check("recorder.reach:nvr", hangs, seconds=0.3)]
    checks += [Check(f"camera.all:{n}", lambda: [well("camera.all")]) for n in range(40)]
    found = list(run(checks))
    assert time.monotonic() - began < 3
    released.set()
    assert len(found) == 41
    hung = found[-1]
    assert (hung.id, hung.device, hung.verdict) == ("recorder.reach:nvr", "nvr", "unknown")
    assert hung.cause is not None
    assert hung.cause.code == "diagnosis.hung"
    assert hung.next_step is not None
    assert hung.seconds == 0.3


def test_more_hung_checks_than_slots_do_not_keep_the_rest_from_running() -> None:
    hang = threading.Event()

    def hangs() -> list[CheckResult]:
        hang.wait(20)
        return []

    checks = [Check(f"camera.all:{n}", hangs, seconds=0.2) for n in range(AT_ONCE + 3)]
    checks.append(Check("disk.space", lambda: [well("disk.space")]))
    found = list(run(checks))
    hang.set()
    assert [one.verdict for one in found].count("unknown") == AT_ONCE + 3
    assert "disk.space" in {one.id for one in found}


def test_the_whole_ends_in_time_and_says_what_it_did_not_get_to() -> None:
    hang = threading.Event()

    def hangs() -> list[CheckResult]:
        hang.wait(20)
        return []

    checks = [Check(f"camera.all:{n}", hangs, seconds=30) for n in range(AT_ONCE + 5)]
    began = time.monotonic()
    found = list(run(checks, total_seconds=0.3))
    hang.set()
    assert time.monotonic() - began < 2
    assert {one.id for one in found} == {check.id for check in checks}
    assert {one.verdict for one in found} == {"unknown"}


def test_what_shares_a_device_never_runs_at_once() -> None:
    inside, most = 0, 0
    lock = threading.Lock()

    def looks() -> list[CheckResult]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)
        with lock:
            inside -= 1
        return [well("serial.port")]

    found = list(run([Check(f"serial.port:{n}", looks, holds="/dev/x") for n in range(5)]))
    assert (len(found), most) == (5, 1)


def test_a_fault_of_ours_is_unknown_by_its_kind_and_tells_no_secret() -> None:
    def broken() -> list[CheckResult]:
        raise ValueError(SECRET)

    (found,) = run([Check("settings.file", broken)])
    assert found.verdict == "unknown"
    assert found.cause is not None
    assert found.cause.params == {"kind": "ValueError"}
    assert SECRET not in found.model_dump_json()


def test_every_result_has_its_own_seconds() -> None:
    def slow() -> Iterator[CheckResult]:
        yield well("alarm.lines")
        time.sleep(0.1)
        yield well("reader.all")

    first, second = run([Check("alarm.lines", slow)])
    assert first.seconds < 0.09
    assert second.seconds >= 0.09  # it is rounded
