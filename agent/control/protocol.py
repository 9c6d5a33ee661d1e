"""What goes over the control socket: one JSON line asked, one JSON line answered."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from drivers.readings import Frozen

VERSION: Literal[1] = 1
LARGEST_LINE_BYTES = 64 * 1024
SOCKET_NAME = "control.sock"
# systemd.exec(5): RuntimeDirectory= is announced by this variable to the service alone.
DEFAULT_RUNTIME_DIRECTORY = Path("/run/campus-agent")


class Request(Frozen):
    """One command: a verb such as `alarm-reset`, and its arguments."""

    v: Literal[1] = VERSION
    verb: str = Field(max_length=64)
    args: dict[str, str | int | float | bool] = Field(default_factory=dict)


class Reply(Frozen):
    """What came of it; when `ok` is false, `code` is a sentence of the text catalogue."""

    v: Literal[1] = VERSION
    ok: bool
    code: str = ""
    params: dict[str, str | int | float] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)


class CommandError(Exception):
    """A command is refused; `code` and `params` say why in the reader's language."""

    def __init__(self, code: str, **params: str | float) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def parse(line: bytes) -> Request:
    """Read a request. Raises CommandError; a newer version is told so."""
    try:
        body = json.loads(line)
    except ValueError:
        raise CommandError("control.malformed") from None
    if isinstance(body, dict) and body.get("v") != VERSION:
        raise CommandError("control.version", ours=VERSION)
    try:
        return Request.model_validate(body)
    except ValidationError:
        raise CommandError("control.malformed") from None


def socket_path(environ: Mapping[str, str], setting: Path | None = None) -> Path:
    """Return where the socket is: the setting, systemd's runtime directory, or its usual place."""
    if setting is not None:
        return setting
    runtime = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(runtime or DEFAULT_RUNTIME_DIRECTORY) / SOCKET_NAME


def named_uid(uid: int) -> str:
    """Name the caller for the audit: by user id, which needs no directory to look up."""
    return f"uid:{uid}"


def own_name() -> str:
    """Name this process's own user."""
    return named_uid(os.getuid())
