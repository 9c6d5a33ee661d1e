import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.store.login_budget import FileLoginBudget
from drivers.recorder.gate import LoginState

STATE = LoginState(salt="0" * 32, credential="f" * 64, state="rejected", failures=1)


def test_what_is_saved_is_loaded_by_the_next_process(tmp_path: Path) -> None:
    FileLoginBudget(tmp_path / "nvr-1").save(STATE)
    assert FileLoginBudget(tmp_path / "nvr-1").load() == STATE
    assert (tmp_path / "nvr-1").stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["nvr-1"]


def test_nothing_there_is_none(tmp_path: Path) -> None:
    assert FileLoginBudget(tmp_path / "nvr-1").load() is None
    (tmp_path / "directory").mkdir()
    assert FileLoginBudget(tmp_path / "directory").load() is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(min_value=0), st.binary(max_size=20))
def test_a_damaged_file_is_none_or_whole(tmp_path: Path, cut: int, tail: bytes) -> None:
    path = tmp_path / "nvr-1"
    whole = STATE.model_dump_json().encode()
    path.write_bytes(whole[: cut % len(whole)] + tail)
    loaded = FileLoginBudget(path).load()
    assert loaded is None or loaded.salt == STATE.salt


def test_a_salt_that_is_not_ours_is_none(tmp_path: Path) -> None:
    path = tmp_path / "nvr-1"
    path.write_text(STATE.model_dump_json().replace("0" * 32, "z" * 32))
    assert FileLoginBudget(path).load() is None


def test_a_failed_save_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = FileLoginBudget(tmp_path / "nvr-1")
    budget.save(STATE)

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        budget.save(STATE.model_copy(update={"failures": 2}))
    assert budget.load() == STATE
    assert [entry.name for entry in tmp_path.iterdir()] == ["nvr-1"]


def test_a_directory_that_is_gone_is_an_error_to_count(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        FileLoginBudget(tmp_path / "gone" / "nvr-1").save(STATE)


def test_two_programs_cannot_have_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "login-nvr-1.json"
    held = "import sys; from pathlib import Path\n"
    held += "from agent.store.login_budget import FileLoginBudget\n"
    held += "budget = FileLoginBudget(Path(sys.argv[1])); print(budget.claim(), flush=True)\n"
    held += "sys.stdin.read()"
    command = [sys.executable, "-c", held, str(path)]
    mine = FileLoginBudget(path)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert not mine.claim()
        other.kill()
    assert mine.claim()
    assert mine.claim()
    assert not FileLoginBudget(path).claim()
    mine.release()
    assert FileLoginBudget(path).claim()


def test_a_disk_that_takes_no_lock_does_not_end_the_watch(tmp_path: Path) -> None:
    assert FileLoginBudget(tmp_path / "no-such-directory" / "nvr-1").claim()
