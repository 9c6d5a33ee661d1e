"""What is known of the devices: by the running agent, which alone has their ports."""

import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from agent.control.client import call_within
from agent.control.protocol import CommandError, Reply
from agent.findings import Cause

State = Mapping[str, Any]
# Shorter than any check has, so that an agent that hangs is named as what it is.
ANSWER_SECONDS = 6.0


class Look(Protocol):
    """Answers of one moment. `silence` says why the agent does not answer; None: it does.

    `left_out` are the devices that could not be opened for want of a secret.
    """

    silence: Cause | None
    pid: int | None
    left_out: frozenset[str]

    @property
    def running(self) -> bool:
        """Tell whether an agent has the devices, so that nobody else may open them."""

    def state(self, kind: str, device: str) -> State | None:
        """Return the newest state of an object; None: nothing is known of it. May wait."""

    def login(self, recorder: str) -> Mapping[str, Any] | None:
        """Return how a recorder's login stands."""

    def outbox(self) -> Mapping[str, int] | None:
        """Return how many events wait and how many were refused."""

    def close(self) -> None:
        """Let go of what was opened."""


class AgentLook:
    """Takes the running agent's word, asked once."""

    def __init__(self, path: Path, reply: Reply) -> None:
        self._path = path
        self._states = {(one["kind"], one["id"]): one["data"] for one in reply.data["states"]}
        self.silence: Cause | None = None
        self.pid = _pid_behind(path)

    running = True
    left_out: frozenset[str] = frozenset()

    def state(self, kind: str, device: str) -> State | None:
        """Return what the agent said."""
        return self._states.get((kind, device))

    def login(self, recorder: str) -> Mapping[str, Any] | None:
        """Ask the agent how a recorder's login stands."""
        return self._asked("recorder-show", recorder=recorder)

    def outbox(self) -> Mapping[str, int] | None:
        """Ask the agent for its outboxes."""
        said = self._asked("county")
        return None if said is None else said.get("outbox")

    def close(self) -> None:
        """Nothing was opened."""

    def _asked(self, verb: str, **args: str) -> Mapping[str, Any] | None:
        try:
            reply = call_within(ANSWER_SECONDS, self._path, verb, **args)
        except CommandError:
            return None
        return reply.data if reply.ok else None


class BlindLook:
    """An agent that runs and does not tell: its devices are left alone."""

    pid: int | None = None
    running = True
    left_out: frozenset[str] = frozenset()

    def __init__(self, silence: Cause) -> None:
        self.silence: Cause | None = silence

    def state(self, kind: str, device: str) -> State | None:  # noqa: ARG002 - the protocol
        """Return what every object of it is: unknown, for the same reason."""
        return None

    def login(self, recorder: str) -> Mapping[str, Any] | None:  # noqa: ARG002 - the protocol
        """Return nothing."""
        return None

    def outbox(self) -> Mapping[str, int] | None:
        """Return nothing."""
        return None

    def close(self) -> None:
        """Nothing was opened."""


def asked(path: Path) -> AgentLook | Cause:
    """Ask the agent for all it knows; return why it does not say."""
    try:
        reply = call_within(ANSWER_SECONDS, path, "status")
    except CommandError as error:
        return Cause(code=error.code, params=dict(error.params))
    if not reply.ok:
        return Cause(code=reply.code, params=reply.params)
    return AgentLook(path, reply)


def _pid_behind(path: Path) -> int | None:
    """Return the process that listens there, by the kernel's word (unix(7), SO_PEERCRED)."""
    size = struct.calcsize("3i")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
            agent.settimeout(1.0)
            agent.connect(str(path))
            said = agent.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    except OSError:
        return None
    pid: int = struct.unpack("3i", said)[0]
    return pid
