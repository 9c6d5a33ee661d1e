"""Commands from the county: what one looks like, and whether this one may be obeyed."""

import base64
import binascii
import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError, model_validator

from drivers.readings import Frozen

LARGEST_BYTES = 8 * 1024
# Keeps a signature made for a command from being one for anything else.
CONTEXT = b"campus-agent command v1\n"

# The last level of a command's topic.
Verb = Literal["ack", "diag", "replay", "resync", "test"]
VERBS: tuple[Verb, ...] = ("ack", "diag", "replay", "resync", "test")
LONGEST_REPLAY = 1000
# How long a command that is bound to nothing but a time may take, and clocks may differ.
VALID_SECONDS = 300.0


class AckData(Frozen):
    """Acknowledge one incident; `epoch` is that of the alarm stream which told of it."""

    incident: int = Field(ge=1)
    epoch: str = Field(max_length=64)


class TestData(Frozen):
    """Open or end a test window; with `start` the buttons are named, all others stay live."""

    __test__: ClassVar[bool] = False  # pytest: its name is the field's own word

    action: Literal["start", "end"]
    by: str = Field(pattern=r"^[A-Za-z0-9-]{1,32}$", description="who tests, by code")
    buttons: tuple[str, ...] = Field(default=(), max_length=64)
    minutes: float = Field(default=15, gt=0, le=15)


class ReplayData(Frozen):
    """Send these numbers of a stream again, under the ids they have."""

    stream: Literal["alarm", "event"]
    epoch: str = Field(max_length=64)
    first: int = Field(ge=1)
    last: int = Field(ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> "ReplayData":
        if not self.first <= self.last < self.first + LONGEST_REPLAY:
            raise ValueError("first to last: at most a thousand")
        return self


class ResyncData(Frozen):
    """Send `about` and every state again."""


class DiagData(Frozen):
    """Answer with every object's verdict and the agent's own problems."""


class Command(Frozen):
    """What is signed; one subclass a verb."""

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    county: str
    site: str
    time: AwareDatetime

    @property
    def verb(self) -> Verb:
        """Return the verb, the last level of the topic but for its version."""
        raise NotImplementedError


class AckCommand(Command):
    """`ack` needs no clock: it is bound to its incident, not to a time."""

    type: Literal["campus.command.ack.v1"] = "campus.command.ack.v1"
    data: AckData

    @property
    def verb(self) -> Verb:
        """Return the verb."""
        return "ack"


class TestCommand(Command):
    """`test` is bound to its `time`: it is refused when that is more than five minutes off."""

    __test__: ClassVar[bool] = False  # pytest: its name is the field's own word

    type: Literal["campus.command.test.v1"] = "campus.command.test.v1"
    data: TestData

    @property
    def verb(self) -> Verb:
        """Return the verb."""
        return "test"


class ReplayCommand(Command):
    """`replay` is bound to its `time`, as `test` is."""

    type: Literal["campus.command.replay.v1"] = "campus.command.replay.v1"
    data: ReplayData

    @property
    def verb(self) -> Verb:
        """Return the verb."""
        return "replay"


class ResyncCommand(Command):
    """`resync` is bound to its `time`, as `test` is."""

    type: Literal["campus.command.resync.v1"] = "campus.command.resync.v1"
    data: ResyncData = ResyncData()

    @property
    def verb(self) -> Verb:
        """Return the verb."""
        return "resync"


class DiagCommand(Command):
    """`diag` is bound to its `time`, as `test` is."""

    type: Literal["campus.command.diag.v1"] = "campus.command.diag.v1"
    data: DiagData = DiagData()

    @property
    def verb(self) -> Verb:
        """Return the verb."""
        return "diag"


AnyCommand = AckCommand | TestCommand | ReplayCommand | ResyncCommand | DiagCommand
_ANY: TypeAdapter[AnyCommand] = TypeAdapter(Annotated[AnyCommand, Field(discriminator="type")])


class Envelope(Frozen):
    """What goes on the wire: the signed text to the letter, who signed it, and the signature."""

    signed: str = Field(max_length=LARGEST_BYTES)
    key: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    signature: str = Field(max_length=128)


class RefusedError(Exception):
    """A command is not obeyed; `code` says why, `request` and `key` as far as they are known."""

    def __init__(self, code: str, *, request: str | None = None, key: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.request = request
        self.key = key


class CommandGuard:
    """Decides whether a message is a command of this county for this site."""

    def __init__(
        self,
        county: str,
        site: str,
        keys: Mapping[str, Ed25519PublicKey],
        now: Callable[[], datetime],
        allowed: Collection[Verb],
    ) -> None:
        """`allowed` are the verbs that this site obeys."""
        self._county = county
        self._site = site
        self._keys = keys
        self._now = now
        self._allowed = allowed

    def admit(self, verb: str, payload: bytes, *, retained: bool) -> tuple[AnyCommand, str]:
        """Return the command and the name of the key that signed it. Raises RefusedError."""
        if retained:
            raise RefusedError("command.retained")
        if len(payload) > LARGEST_BYTES:
            raise RefusedError("command.too_large")
        envelope = _envelope(payload)
        key = self._keys.get(envelope.key)
        if key is None:
            raise RefusedError("command.unknown_key", key=envelope.key)
        try:
            signature = base64.b64decode(envelope.signature, validate=True)
            key.verify(signature, CONTEXT + envelope.signed.encode())
        except (InvalidSignature, binascii.Error):
            raise RefusedError("command.bad_signature", key=envelope.key) from None
        return self._command(verb, envelope), envelope.key

    def _command(self, verb: str, envelope: Envelope) -> AnyCommand:
        try:
            command = _ANY.validate_json(envelope.signed)
        except ValidationError:
            raise RefusedError("command.malformed", key=envelope.key) from None
        said = {"request": command.id, "key": envelope.key}
        if command.verb != verb:
            raise RefusedError("command.wrong_verb", **said)
        if (command.county, command.site) != (self._county, self._site):
            raise RefusedError("command.other_site", **said)
        if command.verb not in self._allowed:
            raise RefusedError("command.not_allowed", **said)
        off = abs((self._now() - command.time).total_seconds())
        if not isinstance(command, AckCommand) and off > VALID_SECONDS:
            raise RefusedError("command.expired", **said)
        return command


def sign(command: Command, key_name: str, key: Ed25519PrivateKey) -> bytes:
    """Return the payload to publish: the county's side of `admit`."""
    text = command.model_dump_json()
    signature = base64.b64encode(key.sign(CONTEXT + text.encode())).decode()
    return Envelope(signed=text, key=key_name, signature=signature).model_dump_json().encode()


def public_key(text: str) -> Ed25519PublicKey:
    """Read a public key from its 32 bytes in base64. Raises ValueError."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise ValueError("not base64") from error


def reply(
    command_id: str, source: str, moment: datetime, *, code: str, data: Mapping[str, Any]
) -> bytes:
    """Return the answer to a command."""
    body = {
        "specversion": "1.0",
        "source": source,
        "type": "campus.reply.v1",
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request": command_id,
        "ok": code == "command.done",
        "code": code,
        "data": dict(data),
    }
    return json.dumps(body, ensure_ascii=False).encode()


def _envelope(payload: bytes) -> Envelope:
    try:
        body = json.loads(payload)
    except ValueError:
        raise RefusedError("command.malformed") from None
    if isinstance(body, dict) and "signature" not in body:
        raise RefusedError("command.unsigned")
    try:
        return Envelope.model_validate(body)
    except ValidationError:
        raise RefusedError("command.malformed") from None
