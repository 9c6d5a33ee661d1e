"""Our own RTSP dialogue against a server that says what it is told to, once each."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from pydantic import SecretStr

from agent.clock import SystemClock
from drivers.replay import _address
from drivers.rtsp_session import RtspSession

CLOCK = SystemClock()
CHALLENGE = 'RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="r", nonce="n"\r\n\r\n'
FINE = "RTSP/1.0 200 OK\r\nSession: 7;timeout=60\r\n\r\n"


class Server:
    """Answers request after request; `heard` are their first lines and whether they were signed."""

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard: list[tuple[str, bool]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as reader:
            for answer in self._answers:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = reader.readline()
                    if not line:
                        return
                    head += line
                first = head.split(b" ")[0].decode()
                self.heard.append((first, b"Authorization:" in head))
                connection.sendall(answer.encode())

    def stop(self) -> None:
        self._listener.close()
        self._thread.join(5)


Start = Callable[..., tuple[Server, RtspSession]]


@pytest.fixture
def session_of() -> Iterator[Start]:
    made: list[tuple[Server, RtspSession]] = []

    def start(*answers: str) -> tuple[Server, RtspSession]:
        server = Server(answers)
        url = f"rtsp://127.0.0.1:{server.port}/x"
        session = RtspSession(url, "inspector", SecretStr("secret"), CLOCK)
        session.connect(deadline=CLOCK.monotonic() + 5)
        made.append((server, session))
        return server, session

    yield start
    for server, session in made:
        session.close()
        server.stop()


def test_a_login_that_is_refused_later_is_not_given_again(session_of: Start) -> None:
    server, session = session_of(CHALLENGE, FINE, CHALLENGE, FINE)
    deadline = CLOCK.monotonic() + 5
    assert session.ask("DESCRIBE", session.url, {}, deadline=deadline).status == 200
    assert session.ask("SETUP", session.url, {}, deadline=deadline).status == 401
    assert server.heard == [("DESCRIBE", False), ("DESCRIBE", True), ("SETUP", True)]


def test_a_control_address_leads_to_the_host_that_was_asked() -> None:
    asked = "rtsp://10.0.0.5:8554/replay/1?proto=onvif"
    for control, wanted in (
        ("rtsp://192.168.254.254:554/replay/1/trackID=1", "/replay/1/trackID=1"),
        ("trackID=1", "/replay/1?proto=onvif/trackID=1"),
        ("*", "/replay/1?proto=onvif"),
    ):
        assert _address(asked, asked, control) == f"rtsp://10.0.0.5:8554{wanted}"
    elsewhere = "rtsp://192.168.254.254/base/"
    assert _address(asked, elsewhere, "trackID=1") == "rtsp://10.0.0.5:8554/base/trackID=1"
