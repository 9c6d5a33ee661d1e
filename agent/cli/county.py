"""`campus-agent county ...`: the county's side of signed commands, where the private key is."""

import argparse
import base64
import os
import sys
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.county.commands import (
    AckCommand,
    AckData,
    Command,
    DiagCommand,
    ReplayCommand,
    ReplayData,
    ResyncCommand,
    TestCommand,
    TestData,
    sign,
)
from agent.text import language, printable, sentence

REFUSED = 1
# Verbs that say nothing but themselves.
_PLAIN: Mapping[str, type[Command]] = {"diag": DiagCommand, "resync": ResyncCommand}


def main(argv: Sequence[str]) -> int:
    """Make a key, or sign an acknowledgement; the payload to publish goes to standard output."""
    parser = argparse.ArgumentParser(prog="campus-agent county")
    parser.add_argument("--lang", default=None)
    actions = parser.add_subparsers(dest="action", required=True)
    key = actions.add_parser("key", help="make a key pair; the public half goes into site files")
    key.add_argument("file", type=Path)
    signing = argparse.ArgumentParser(add_help=False)
    signing.add_argument("--key", required=True, help="its id in the site files")
    signing.add_argument("--key-file", type=Path, required=True)
    signing.add_argument("--county", required=True)
    signing.add_argument("--site", required=True)
    sign_ = actions.add_parser("sign", help="sign a command, for cmd/v1/COUNTY/SITE/VERB")
    verbs = sign_.add_subparsers(dest="verb", required=True)
    ack = verbs.add_parser("ack", parents=[signing], help="acknowledge an incident")
    ack.add_argument("--incident", type=int, required=True)
    ack.add_argument("--epoch", required=True, help="of the alarm event")
    test = verbs.add_parser("test", parents=[signing], help="open or end a test window")
    test.add_argument("action_", metavar="start|end", choices=("start", "end"))
    test.add_argument("button", nargs="*", help="the buttons tested; all others stay live")
    test.add_argument("--by", required=True, help="who tests, by code")
    test.add_argument("--minutes", type=float, default=15)
    replay = verbs.add_parser("replay", parents=[signing], help="send events again")
    replay.add_argument("--stream", choices=("alarm", "event"), required=True)
    replay.add_argument("--epoch", required=True)
    replay.add_argument("--first", type=int, required=True)
    replay.add_argument("--last", type=int, required=True)
    verbs.add_parser("diag", parents=[signing], help="ask for every verdict and what is wrong")
    verbs.add_parser("resync", parents=[signing], help="send every state again")
    options = parser.parse_args(argv)
    lang = language(os.environ, options.lang)
    try:
        return _make_key(options) if options.action == "key" else _sign(options)
    except (OSError, ValueError) as error:
        file = str(options.file if options.action == "key" else options.key_file)
        detail = error.strerror if isinstance(error, OSError) else ""
        said = sentence(lang, "county.key_unusable", file=file, detail=detail or "")
        print(printable(said), file=sys.stderr)
        return REFUSED


def _make_key(options: argparse.Namespace) -> int:
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # An existing key is never overwritten: every site that holds its public half would be deaf.
    handle = os.open(options.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text)
    public = key.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    print(base64.b64encode(public).decode())
    return 0


def _sign(options: argparse.Namespace) -> int:
    key = serialization.load_pem_private_key(options.key_file.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")  # noqa: TRY004 - the file is wrong, not the code
    print(sign(_command(options), options.key, key).decode())
    return 0


def _command(options: argparse.Namespace) -> Command:
    said: dict[str, Any] = {"id": str(uuid.uuid4()), "time": datetime.now(UTC)}
    said |= {"county": options.county, "site": options.site}
    if options.verb == "ack":
        return AckCommand(**said, data=AckData(incident=options.incident, epoch=options.epoch))
    if options.verb == "replay":
        numbers = {"first": options.first, "last": options.last}
        return ReplayCommand(
            **said, data=ReplayData(stream=options.stream, epoch=options.epoch, **numbers)
        )
    if options.verb in _PLAIN:
        return _PLAIN[options.verb](**said)
    test = TestData(
        action=options.action_, by=options.by, buttons=options.button, minutes=options.minutes
    )
    return TestCommand(**said, data=test)
