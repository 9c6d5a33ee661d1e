import threading
from contextlib import ExitStack

import pytest
from pydantic import SecretStr

from agent.clock import SystemClock
from drivers.errors import BusyError, PermitRefusedError
from drivers.recorder.gate import CredentialState, RecorderGate
from tests.simulated_clock import SimulatedClock
from tests.unit.login_budgets import DeadDisk, MemoryBudget
from tests.waiting import wait_until

USER, PASSWORD = "inspector", SecretStr("hunter-2-secret")
OTHER_PASSWORD = SecretStr("the-new-one")


def gate_on(
    clock: SimulatedClock, budget: MemoryBudget, password: SecretStr = PASSWORD
) -> RecorderGate:
    return RecorderGate("nvr-1", USER, password, budget, clock, request_gap_seconds=0.2)


def state(gate: RecorderGate) -> CredentialState:
    return gate.credential


def vouched(clock: SimulatedClock, budget: MemoryBudget | None = None) -> RecorderGate:
    gate = gate_on(clock, budget or MemoryBudget())
    with gate.permit("request", deadline=clock.monotonic() + 1):
        gate.login_succeeded()
    return gate


def attempts(
    gate: RecorderGate, clock: SimulatedClock, tries: int, every: float, left: int | None = None
) -> int:
    """Try to log in with a wrong password that often; return how many logins went out."""
    sent = 0
    for _ in range(tries):
        try:
            with gate.permit("request", deadline=clock.monotonic() + 1):
                sent += 1
                gate.login_failed(retries_left=left)
        except PermitRefusedError:
            pass
        clock.advance(every)
    return sent


def test_the_first_use_is_a_single_flight_for_all_uses(clock: SimulatedClock) -> None:
    gate = gate_on(clock, MemoryBudget())
    assert state(gate) is CredentialState.SUSPECT
    with gate.permit("live", deadline=clock.monotonic() + 1):
        for use in ("request", "live", "playback"):
            with (
                pytest.raises(BusyError, match="nvr-1"),
                gate.permit(use, deadline=clock.monotonic() + 1),
            ):
                pass
        gate.login_succeeded()
        with gate.permit("request", deadline=clock.monotonic() + 1):
            assert state(gate) is CredentialState.OK


def test_one_that_never_came_to_a_login_lets_the_next_one_try(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    gate = gate_on(clock, budget)
    for _ in range(3):
        with gate.permit("request", deadline=clock.monotonic() + 1):
            assert budget.state is not None
            assert budget.state.trying
    assert budget.state is not None
    assert not budget.state.trying
    assert state(gate) is CredentialState.SUSPECT


def test_pools_are_counted_and_requests_keep_their_distance(clock: SimulatedClock) -> None:
    gate = vouched(clock)
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(gate.permit("live", deadline=clock.monotonic() + 1))
        held.enter_context(gate.permit("playback", deadline=clock.monotonic() + 1))
        held.enter_context(gate.permit("request", deadline=clock.monotonic() + 1))
        for use in ("live", "playback", "request"):
            with pytest.raises(BusyError), gate.permit(use, deadline=clock.monotonic() + 1):
                pass
    gate.login_succeeded()
    ended = clock.monotonic()
    with gate.permit("request", deadline=clock.monotonic() + 1):
        assert clock.monotonic() - ended == pytest.approx(0.2, abs=0.03)


def test_a_permit_comes_back_when_its_user_fails(clock: SimulatedClock) -> None:
    gate = vouched(clock)
    for _ in range(10):
        with (
            pytest.raises(RuntimeError),
            gate.permit("playback", deadline=clock.monotonic() + 1),
        ):
            raise RuntimeError
        gate.login_succeeded()


def test_a_wrong_password_costs_one_login_ever(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    sent = 0
    for _ in range(5):
        sent += attempts(gate_on(clock, budget), clock, tries=50, every=60)
        clock.advance(86_400)
    assert sent == 1
    with pytest.raises(PermitRefusedError, match="user name or password") as refused:
        gate_on(clock, budget).permit("live", deadline=clock.monotonic() + 1).__enter__()
    assert refused.value.reason == "auth_rejected"


def test_another_password_is_noticed_and_has_one_try_of_its_own(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    attempts(gate_on(clock, budget), clock, tries=3, every=60)
    assert attempts(gate_on(clock, budget, OTHER_PASSWORD), clock, tries=9, every=600) == 1
    assert attempts(gate_on(clock, budget, OTHER_PASSWORD), clock, tries=9, every=600) == 0


def test_a_credential_that_worked_is_doubted_before_it_is_rejected(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    gate = vouched(clock, budget)
    clock.advance(60)
    assert attempts(gate, clock, tries=1, every=0) == 1
    assert state(gate) is CredentialState.SUSPECT
    assert attempts(gate, clock, tries=59, every=10) == 0
    clock.advance(20)
    with gate.permit("request", deadline=clock.monotonic() + 1):
        gate.login_succeeded()
    assert state(gate) is CredentialState.OK
    clock.advance(60)
    assert attempts(gate, clock, tries=1000, every=60) == 2
    assert state(gate) is CredentialState.REJECTED


@pytest.mark.parametrize("left", [1, 2, 4])
def test_a_recorder_that_counts_its_tries_has_looked_at_the_password(
    clock: SimulatedClock, left: int
) -> None:
    gate = vouched(clock)
    clock.advance(60)
    assert attempts(gate, clock, tries=1000, every=60, left=left) == 1
    assert state(gate) is CredentialState.REJECTED


def test_streams_that_were_refused_together_count_as_one(clock: SimulatedClock) -> None:
    gate = vouched(clock)
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(gate.permit("live", deadline=clock.monotonic() + 1))
        for _ in range(4):
            gate.login_failed()
    assert state(gate) is CredentialState.SUSPECT
    clock.advance(601)
    with gate.permit("request", deadline=clock.monotonic() + 1):
        gate.login_succeeded()
    assert state(gate) is CredentialState.OK


def test_an_old_success_vouches_for_one_only(clock: SimulatedClock) -> None:
    gate = vouched(clock)
    clock.advance(60)
    with gate.permit("live", deadline=clock.monotonic() + 1):
        with pytest.raises(BusyError), gate.permit("live", deadline=clock.monotonic() + 1):
            pass
        gate.login_succeeded()
        with gate.permit("live", deadline=clock.monotonic() + 1):
            pass


def test_a_late_success_does_not_undo_a_refusal(clock: SimulatedClock) -> None:
    gate = vouched(clock)
    with ExitStack() as held:
        held.enter_context(gate.permit("live", deadline=clock.monotonic() + 1))
        held.enter_context(gate.permit("live", deadline=clock.monotonic() + 1))
        gate.login_failed()
        gate.login_succeeded()
    with pytest.raises(PermitRefusedError):
        gate.permit("request", deadline=clock.monotonic() + 1).__enter__()


@pytest.mark.parametrize(("told", "kept"), [(1800, 1860), (0, 2100), (10**9, 86_400)])
def test_a_lock_lasts_as_told_and_a_minute_more(
    clock: SimulatedClock, told: float, kept: float
) -> None:
    gate = vouched(clock)
    with gate.permit("request", deadline=clock.monotonic() + 1):
        gate.login_failed(locked_seconds=told)
    assert state(gate) is CredentialState.LOCKED
    clock.advance(kept - 1)
    with pytest.raises(PermitRefusedError, match="locked") as refused:
        gate.permit("request", deadline=clock.monotonic() + 1).__enter__()
    assert refused.value.reason == "auth_locked"
    clock.advance(2)
    with gate.permit("request", deadline=clock.monotonic() + 1):
        gate.login_succeeded()
    assert state(gate) is CredentialState.OK


def test_a_lock_survives_restarts_clock_jumps_and_another_password(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    with (gate := gate_on(clock, budget)).permit("request", deadline=clock.monotonic() + 1):
        gate.login_failed(retries_left=0, locked_seconds=1800)
    clock.advance(900)
    clock.jump(30 * 86_400)
    assert state(gate_on(clock, budget)) is CredentialState.LOCKED
    assert state(gate_on(clock, budget, OTHER_PASSWORD)) is CredentialState.LOCKED
    clock.jump(-400 * 86_400)
    clock.advance(900 + 59)
    assert state(gate_on(clock, budget)) is CredentialState.LOCKED
    clock.advance(2)
    assert state(gate_on(clock, budget)) is CredentialState.SUSPECT


def test_a_lock_is_never_cut_short_by_a_reboot(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    clock.advance(50_000)
    with (gate := gate_on(clock, budget)).permit("request", deadline=clock.monotonic() + 1):
        gate.login_failed(locked_seconds=1800)
    rebooted = SimulatedClock()  # 1000 s after its boot
    assert state(gate_on(rebooted, budget)) is CredentialState.LOCKED
    rebooted.advance(859)
    assert state(gate_on(rebooted, budget)) is CredentialState.LOCKED
    rebooted.advance(2)
    assert state(gate_on(rebooted, budget)) is CredentialState.SUSPECT


def test_locks_do_not_go_on_for_ever_with_a_password_that_never_worked(
    clock: SimulatedClock,
) -> None:
    gate = gate_on(clock, MemoryBudget())
    sent = 0
    for _ in range(200):
        try:
            with gate.permit("request", deadline=clock.monotonic() + 1):
                sent += 1
                gate.login_failed(locked_seconds=1800)
        except PermitRefusedError:
            clock.advance(600)
    assert sent == 2
    assert state(gate) is CredentialState.REJECTED


def test_a_missing_file_is_one_try_and_no_second(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    vouched(clock, budget)
    budget.state = None
    gate = gate_on(clock, budget)
    assert state(gate) is CredentialState.SUSPECT
    assert attempts(gate, clock, tries=100, every=60) == 1


def test_a_disk_that_takes_nothing_lets_no_crash_loop_log_in(clock: SimulatedClock) -> None:
    sent = 0
    for _ in range(20):
        gate = gate_on(clock, DeadDisk())
        assert not gate.durable
        sent += attempts(gate, clock, tries=5, every=60)
    assert sent == 0
    gate = gate_on(clock, DeadDisk())
    clock.advance(601)
    assert attempts(gate, clock, tries=5, every=600) == 1


def test_dying_in_the_middle_of_a_login_counts_as_a_doubt(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    vouched(clock, budget)
    permit = gate_on(clock, budget).permit("request", deadline=clock.monotonic() + 1)
    permit.__enter__()  # and the power goes
    for _ in range(20):
        gate = gate_on(clock, budget)
        assert attempts(gate, clock, tries=5, every=5) == 0
    clock.advance(200)
    with gate_on(clock, budget).permit("request", deadline=clock.monotonic() + 1):
        pass


def test_a_person_may_ask_for_one_more_try(clock: SimulatedClock) -> None:
    gate = gate_on(clock, MemoryBudget())
    attempts(gate, clock, tries=3, every=60)
    gate.retry()
    assert attempts(gate, clock, tries=9, every=60) == 1


def test_steady_work_does_not_write_to_the_disk(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    gate = vouched(clock, budget)
    saves = budget.saves
    for _ in range(100):
        clock.advance(60)
        with gate.permit("request", deadline=clock.monotonic() + 1):
            gate.login_succeeded()
    assert budget.saves == saves


def test_the_password_is_nowhere_in_what_is_kept(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    vouched(clock, budget)
    assert budget.state is not None
    kept = budget.state.model_dump_json()
    assert PASSWORD.get_secret_value() not in kept
    assert USER not in kept
    again = MemoryBudget()
    vouched(clock, again)
    assert again.state is not None
    assert again.state.credential != budget.state.credential  # salted


def test_many_threads_and_a_password_changed_on_the_recorder() -> None:
    """Five workers at once on the real clock: never two unvouched logins, one refusal in all."""
    clock = SystemClock()
    gate = RecorderGate("nvr-1", USER, PASSWORD, MemoryBudget(), clock, request_gap_seconds=0)
    out: list[str] = []
    most, inside = 0, 0
    lock = threading.Lock()

    def work(use: str) -> None:
        nonlocal most, inside
        try:
            with gate.permit(use, deadline=clock.monotonic() + 5):
                with lock:
                    inside += 1
                    most = max(most, inside)
                clock.sleep(0.02)
                with lock:
                    inside -= 1
                gate.login_failed()
                out.append("refused by the recorder")
        except PermitRefusedError:
            out.append("refused by the gate")

    workers = [threading.Thread(target=work, args=(use,)) for use in ["live"] * 6 + ["request"] * 2]
    for worker in workers:
        worker.start()
    wait_until(lambda: len(out) == len(workers))
    for worker in workers:
        worker.join()
    assert most == 1
    assert out.count("refused by the recorder") == 1


def test_a_request_goes_before_streams_to_vouch_for_the_login() -> None:
    clock = SystemClock()
    gate = RecorderGate("nvr-1", USER, PASSWORD, MemoryBudget(), clock, request_gap_seconds=0)
    order: list[str] = []

    def work(use: str) -> None:
        with gate.permit(use, deadline=clock.monotonic() + 5):
            order.append(use)

    with gate.permit("live", deadline=clock.monotonic() + 1):
        workers = [threading.Thread(target=work, args=("live",)) for _ in range(3)]
        workers.append(threading.Thread(target=work, args=("request",)))
        for worker in workers:
            worker.start()
        wait_until(lambda: gate._requests_waiting == 1)
    for worker in workers:
        worker.join()
    assert order[0] == "request"


def test_nothing_goes_out_while_another_program_uses_the_login(clock: SimulatedClock) -> None:
    budget = MemoryBudget()
    gate = gate_on(clock, budget)
    gate.release()
    budget.elsewhere = True
    with (
        pytest.raises(BusyError, match="another program"),
        gate.permit("request", deadline=clock.monotonic() + 1),
    ):
        pass
    other = gate_on(clock, budget)
    saves = budget.saves
    other.login_failed()  # a late word: it is not ours to write down
    assert budget.saves == saves
    budget.elsewhere = False
    attempts(gate_on(clock, budget), clock, 1, 0)  # what the other one found out
    assert attempts(gate, clock, 5, 0) == 0
    assert state(gate) is CredentialState.REJECTED
