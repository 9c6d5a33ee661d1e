"""The contract as documents: `python -m agent.county.asyncapi DIRECTORY` writes them."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import JsonSchemaMode

from agent.county import wire
from agent.county.commands import Envelope
from drivers.readings import Frozen

CONTRACT_VERSION = "1.0.0"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ROOT = "campus/v1/{county}/{site}"
_ID = {"description": "[a-z0-9-]{1,32}"}
# For every first word of a type: its address, and what to know of it.
_PLACES: Mapping[str, tuple[str, str]] = {
    "status": (f"{_ROOT}/status", "retained, QoS 1; also the will"),
    "about": (f"{_ROOT}/about", "retained, QoS 1"),
    "event": (f"{_ROOT}/event/{{kind}}", "not retained, QoS 1; kept until confirmed, then 30 days"),
    "state": (f"{_ROOT}/state/{{kind}}/{{id}}", "retained, QoS 1; an empty payload takes it away"),
    "reply": (f"{_ROOT}/reply/{{request}}", "not retained, QoS 1"),
}
_COMMAND = "cmd/v1/{county}/{site}/{verb}"


def documents() -> Mapping[str, str]:
    """Return every generated document, by its name in the contract's folder."""
    found = {f"schema/{kind}.json": _text(schema(kind)) for kind in wire.messages()}
    found["schema/command.json"] = _text(_open(Envelope.model_json_schema()))
    found["asyncapi.json"] = _text(asyncapi())
    return found


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of one message. Fields may be added: a reader passes over them."""
    model = wire.messages()[kind]
    shape = _open(model.model_json_schema(mode=_mode(model)))
    return {"$schema": _DIALECT, "$id": kind, **shape}


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of all channels, seen from a site."""
    channels: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for kind, model in wire.messages().items():
        family, name = kind.split(".")[1], kind.replace(".", "-")
        reference = "#/components/schemas/{model}"
        body = model.model_json_schema(mode=_mode(model), ref_template=reference)
        schemas |= _open(body.pop("$defs", {}))
        schemas[name] = _open(body)
        messages[name] = {
            "name": kind,
            "summary": (model.__doc__ or "").splitlines()[0],
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{name}"},
        }
        address, about = _PLACES[family]
        channel = channels.setdefault(family, _channel(address, about))
        channel["messages"][name] = {"$ref": f"#/components/messages/{name}"}
    schemas["command"] = _open(Envelope.model_json_schema())
    messages["command"] = {
        "name": "campus.command.v1",
        "summary": "A command of the county: signed to the letter, bound to one site.",
        "contentType": "application/json",
        "payload": {"$ref": "#/components/schemas/command"},
    }
    channels["command"] = _channel(_COMMAND, "not retained, QoS 1; verbs: ack, test")
    channels["command"]["messages"]["command"] = {"$ref": "#/components/messages/command"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "campus-agent: what a school's site tells its county",
            "version": CONTRACT_VERSION,
            "description": "Codes and figures; no picture, no name of a person.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            family: {
                "action": "receive" if family == "command" else "send",
                "channel": {"$ref": f"#/channels/{family}"},
            }
            for family in channels
        },
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }


def _mode(model: type[Frozen]) -> JsonSchemaMode:
    """All fields are always there, but for `status`, which says less when it says goodbye."""
    return "validation" if model is wire.StatusMessage else "serialization"


def _channel(address: str, about: str) -> dict[str, Any]:
    names = [part[1:-1] for part in address.split("/") if part.startswith("{")]
    return {
        "address": address,
        "description": about,
        "parameters": dict.fromkeys(names, _ID),
        "messages": {},
    }


def _open(shape: Any) -> Any:
    """Let readers meet fields they do not know: a later version may add some."""
    if isinstance(shape, dict):
        return {
            key: _open(value)
            for key, value in shape.items()
            if not (key == "additionalProperties" and value is False)
        }
    return [_open(one) for one in shape] if isinstance(shape, list) else shape


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def main() -> None:
    """Write all documents below the directory named."""
    for name, text in documents().items():
        file = Path(sys.argv[1]) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
