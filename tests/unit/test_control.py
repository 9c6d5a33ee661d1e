import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.control.client import call
from agent.control.protocol import CommandError, parse, socket_path
from agent.control.server import Args, ControlServer
from agent.text import sentence


class Echo:
    """A daemon that answers with what it was asked and by whom."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def echo(self, args: Args, who: str) -> dict[str, Any]:
        return {"args": dict(args), "who": who}

    def refuse(self, _args: Args, _who: str) -> dict[str, Any]:
        raise CommandError("alarm.no_incident", button="gate")

    def fail(self, _args: Args, _who: str) -> dict[str, Any]:
        raise ZeroDivisionError


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    echo = Echo()
    path = tmp_path / "run" / "control.sock"
    verbs = {"echo": echo.echo, "refuse": echo.refuse, "fail": echo.fail}
    server = ControlServer(path, verbs)
    server.start()
    yield path
    server.stop()
    assert not path.exists()


def raw(path: Path, line: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(10)
        caller.connect(str(path))
        caller.sendall(line)
        caller.shutdown(socket.SHUT_WR)
        answer = b""
        while more := caller.recv(4096):
            answer += more
    body: dict[str, Any] = json.loads(answer)
    return body


def test_a_command_is_answered_and_its_caller_named_by_the_kernel(path: Path) -> None:
    reply = call(path, "echo", button="gate", count=3)
    assert reply.ok
    assert reply.data == {"args": {"button": "gate", "count": 3}, "who": f"uid:{os.getuid()}"}


def test_only_owner_and_group_may_call(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_refusal_comes_back_as_a_code(path: Path) -> None:
    reply = call(path, "refuse")
    assert (reply.ok, reply.code, reply.params) == (False, "alarm.no_incident", {"button": "gate"})


def test_a_fault_of_ours_is_no_traceback_for_the_caller(path: Path) -> None:
    assert call(path, "fail").code == "control.internal"


def test_an_unknown_command_is_named(path: Path) -> None:
    reply = call(path, "reboot")
    assert (reply.code, reply.params) == ("control.unknown_verb", {"verb": "reboot"})


def test_another_version_is_told_ours(path: Path) -> None:
    assert raw(path, b'{"v": 2, "verb": "echo"}\n')["code"] == "control.version"


def test_a_caller_that_says_nothing_keeps_nobody_waiting(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(str(path))
        assert call(path, "echo").ok


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_without_a_daemon_the_sentence_says_what_to_do(tmp_path: Path, lang: Any) -> None:
    with pytest.raises(CommandError) as refused:
        call(tmp_path / "nobody.sock", "status")
    said = sentence(lang, refused.value.code, **refused.value.params)
    assert "campus-agent" in said


def test_a_socket_left_by_a_dead_daemon_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    server = ControlServer(path, {"echo": Echo().echo})
    server.start()
    assert call(path, "echo").ok
    server.stop()


def test_where_no_socket_can_be_made_the_agent_runs_on_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    server = ControlServer(tmp_path / "file" / "control.sock", {})
    server.start()
    assert server.problem is not None
    server.stop()


@given(st.binary(max_size=200))
def test_no_bytes_are_a_command_by_accident(line: bytes) -> None:
    try:
        request = parse(line)
    except CommandError:
        return
    assert json.loads(line)["verb"] == request.verb


def test_the_socket_is_where_systemd_says() -> None:
    assert socket_path({"RUNTIME_DIRECTORY": "/run/x"}) == Path("/run/x/control.sock")
    assert socket_path({}) == Path("/run/campus-agent/control.sock")
    assert socket_path({"RUNTIME_DIRECTORY": "/run/x"}, Path("/y/s")) == Path("/y/s")
