"""Who the school is: from the command line, from the county's defaults, or asked for."""

import re
import socket
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agent.settings_types import HostPort, Id, Text
from agent.site_init.document import default_broker, default_text
from agent.site_init.draft import Identity
from agent.site_init.questions import Questions
from agent.text import Language, sentence

DEFAULT_COUNTY, DEFAULT_SITE, DEFAULT_BROKER = "county", "school", "mqtt:1883"
_ID: TypeAdapter[str] = TypeAdapter(Id)
_BROKER: TypeAdapter[str] = TypeAdapter(HostPort)
_TEXT: TypeAdapter[str] = TypeAdapter(Text)
_NO_ID = re.compile(r"[^a-z0-9-]+")


def asked_identity(
    questions: Questions, given: Mapping[str, str], defaults: Mapping[str, Any]
) -> Identity:
    """Return the identity; what was given is not asked for. Raises RefusedError."""
    lang = questions.lang

    def asked(name: str, default: str) -> str:
        wrong = checks(lang)[name]
        value = given.get(name, "")
        if value:
            said = wrong(value)
            if said is None and not value.isprintable():
                said = sentence(lang, "init.unreadable_answer")
            if said is None:
                return value
            questions.show(said)
        return questions.text(f"init.ask_{name}", default, wrong)

    county = asked("county", default_text(defaults, "site", "county") or DEFAULT_COUNTY)
    site = asked("site", _slug(socket.gethostname()))
    name = asked("name", site)
    broker = given.get("broker", "") or default_broker(defaults)
    if not broker or checks(lang)["broker"](broker) is not None:
        broker = asked("broker", DEFAULT_BROKER)
    return Identity(county, site, name, broker)


def checks(lang: Language) -> Mapping[str, Callable[[str], str | None]]:
    """Return what says what is wrong with each part of an identity."""

    def check(kind: TypeAdapter[str], code: str, key: str) -> Callable[[str], str | None]:
        def wrong(value: str) -> str | None:
            try:
                kind.validate_python(value)
            except ValidationError:
                return sentence(lang, code, key=key)
            return None

        return wrong

    return {
        "county": check(_ID, "config.bad_id", "county"),
        "site": check(_ID, "config.bad_id", "site"),
        "name": check(_TEXT, "config.blank", "name"),
        "broker": check(_BROKER, "config.bad_host_port", "broker"),
    }


def _slug(name: str) -> str:
    return _NO_ID.sub("-", name.lower()).strip("-")[:32].strip("-") or DEFAULT_SITE
