"""Messages as they are on the wire; the contract's documents are generated from these."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, Field, create_model

from agent.county.event_data import EVENTS
from agent.county.state_data import STATES
from drivers.readings import Frozen

Hex = r"^[0-9a-f]{12}$"
Uuid = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class Attributes(Frozen):
    """What every message of a site says of itself, by the names of CloudEvents 1.0."""

    specversion: Literal["1.0"]
    source: str = Field(pattern=r"^/campus/v1/[a-z0-9-]{1,32}/[a-z0-9-]{1,32}$")
    time: AwareDatetime = Field(description="UTC; of an event: when it happened")


class Head(Frozen):
    """The newest number of a stream. A number below it that was never heard is a hole."""

    epoch: str = Field(pattern=Hex, description="changes with the store; numbers begin anew")
    seq: int = Field(ge=0, description="0: nothing yet")


class StatusMessage(Attributes):
    """Birth, refresh, planned end or will of a site; retained. A will names the `boot` it ends."""

    type: Literal["campus.status.v1"]
    boot: str = Field(pattern=Hex, description="of this run of the agent")
    online: bool
    reason: Literal["lost", "stopped"] | None = Field(default=None, description="when not online")
    heads: dict[str, Head] | None = Field(default=None, description="by stream, while online")
    protocol: Literal["mqtt5", "mqtt3.1.1"] | None = Field(
        default=None, description="3.1.1 hides refusals, so their count says less"
    )
    refused: int | None = Field(default=None, description="messages the broker has refused")
    self_test: Literal["running", "passed", "failed"] | None = Field(
        default=None, description="whether the broker gives back what it takes"
    )
    unsaved: int | None = Field(default=None, description="events that are in memory only")
    problems: list[str] | None = Field(default=None, description="codes of the agent's own causes")


class AboutMessage(Attributes):
    """What a site is and has; retained. Places have names, people never."""

    type: Literal["campus.about.v1"]
    boot: str = Field(pattern=Hex)
    agent_version: str
    contract_version: Literal[1]
    certificate_days_left: int | None = Field(
        default=None,
        description="of the site's own certificate, said anew every day; null: it has none",
    )
    name: str
    timezone: str
    settings_hash: str = Field(description="changes whenever the settings in force do")
    objects: dict[str, dict[str, str]] = Field(description="by kind: id and name")
    not_fitted: dict[str, str] = Field(description="duties without hardware, and the site's reason")


class ReplyMessage(Attributes):
    """The answer to a command; not retained."""

    type: Literal["campus.reply.v1"]
    request: str = Field(description="the command's id")
    ok: bool
    code: str = Field(description="`command.done`, or why not")
    data: dict[str, Any]


class Numbered(Attributes):
    """What events and states have in common."""

    id: str = Field(pattern=Uuid, description="never changes, however often it is sent")
    subject: str
    stream: str
    epoch: str = Field(pattern=Hex)
    seq: int = Field(ge=1)
    boot: str = Field(pattern=Hex)
    clock: Literal["ntp", "rtc", "unsync"] = Field(description="how far `time` can be trusted")
    sent: AwareDatetime = Field(description="when this copy left")


class EventMessage(Numbered):
    """Something that happened; numbered, not retained, every one matters."""

    test: bool = Field(description="pressed inside a test window")
    late: bool = Field(description="older than ten minutes: no alarm to act on now")
    again: bool = Field(description="an open incident, announced again under the id it has")
    durable: bool = Field(description="false: sent before it was on the agent's disk")


class StateMessage(Numbered):
    """The newest state of one object; retained. Past its validity it is unknown."""

    valid_for_seconds: int = Field(ge=1)
    valid_until: AwareDatetime


def messages() -> Mapping[str, type[Frozen]]:
    """Return the model of every message, by the `type` it has on the wire."""
    events = [_message(EventMessage, "event", data.kind, data) for data in EVENTS]
    states = [_message(StateMessage, "state", data.kind, data) for data in STATES]
    return {
        "campus.status.v1": StatusMessage,
        "campus.about.v1": AboutMessage,
        "campus.reply.v1": ReplyMessage,
        **dict(events),
        **dict(states),
    }


def _message(
    base: type[Numbered], family: str, kind: str, data: type[Frozen]
) -> tuple[str, type[Frozen]]:
    name = f"campus.{family}.{kind}.v1"
    title = f"{kind.title().replace('-', '')}{family.title()}Message"
    # A literal made at run time: no type checker can follow, and pydantic can.
    its_type: Any = Literal[name]
    model = create_model(title, __base__=base, __doc__=data.__doc__, type=its_type, data=data)
    return name, model
