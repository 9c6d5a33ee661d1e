"""The command line's end of the control socket."""

import socket
from pathlib import Path

from pydantic import ValidationError

from agent.control.protocol import LARGEST_LINE_BYTES, CommandError, Reply, Request

CALL_SECONDS = 15.0


def call(path: Path, verb: str, **args: str | float | bool) -> Reply:
    """Send one command and return the answer. Raises CommandError when nobody answers."""
    return call_within(CALL_SECONDS, path, verb, **args)


def call_within(seconds: float, path: Path, verb: str, **args: str | float | bool) -> Reply:
    """Send one command; nobody answers who has not begun to within so many seconds."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
            daemon.settimeout(seconds)
            daemon.connect(str(path))
            daemon.sendall(Request(verb=verb, args=args).model_dump_json().encode() + b"\n")
            data = b""
            while not data.endswith(b"\n") and len(data) < 16 * LARGEST_LINE_BYTES:
                more = daemon.recv(65536)
                if not more:
                    break
                data += more
    except (FileNotFoundError, ConnectionRefusedError):
        raise CommandError("control.not_running", path=str(path)) from None
    except PermissionError:
        raise CommandError("control.denied", path=str(path)) from None
    except OSError:
        raise CommandError("control.no_answer", path=str(path)) from None
    try:
        return Reply.model_validate_json(data)
    except ValidationError:
        raise CommandError("control.no_answer", path=str(path)) from None
