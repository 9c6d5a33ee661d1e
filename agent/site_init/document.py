"""A site's file as text: a new one from the county's defaults, an old one with what is new."""

import tomllib
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from agent.settings import Duty
from agent.site_file import LARGEST_FILE_BYTES
from agent.site_init.blocks import (
    broker_block,
    device_blocks,
    identity_block,
    not_fitted_lines,
)
from agent.site_init.draft import Draft, Identity
from agent.site_init.questions import RefusedError
from agent.text import Language
from agent.toml_positions import line_of_each_key


def read_defaults(path: Path | None) -> tomlkit.TOMLDocument:
    """Return what all schools of a county share; comments stay. Raises RefusedError."""
    if path is None:
        return tomlkit.document()
    try:
        content = path.read_bytes()
        if len(content) > LARGEST_FILE_BYTES:
            raise RefusedError("init.bad_defaults", file=str(path))
        text = content.decode("utf-8-sig")
        tomllib.loads(text)
        return tomlkit.parse(text)
    except (OSError, ValueError, RecursionError, TOMLKitError) as error:
        raise RefusedError("init.bad_defaults", file=str(path)) from error


def section(document: Mapping[str, Any], name: str) -> MutableMapping[str, Any]:
    """Return a table of a document; an empty one where there is none."""
    found = document.get(name)
    return found if isinstance(found, MutableMapping) else {}


def default_text(document: Mapping[str, Any], table: str, key: str) -> str:
    """Return a text of a document, or nothing."""
    value = section(document, table).get(key)
    return str(value) if isinstance(value, str) else ""


def default_broker(document: Mapping[str, Any]) -> str:
    """Return the first broker of a document, or nothing."""
    hosts = section(document, "broker").get("hosts")
    return str(hosts[0]) if isinstance(hosts, list) and hosts and isinstance(hosts[0], str) else ""


def new_file(
    identity: Identity,
    defaults: tomlkit.TOMLDocument,
    draft: Draft,
    reasons: Mapping[Duty, str],
    lang: Language,
) -> str:
    """Return the text of a new file."""
    rest = tomlkit.parse(tomlkit.dumps(defaults))
    site = rest.pop("site", {})
    timezone = site.get("timezone") if isinstance(site, Mapping) else None
    declared = rest.pop("not_fitted", None)
    parts = [identity_block(identity, timezone if isinstance(timezone, str) else None, lang)]
    if not section(rest, "broker"):
        parts.append(broker_block(identity.broker))
    elif default_broker(rest) != identity.broker:
        section(rest, "broker")["hosts"] = [identity.broker]
    shared = tomlkit.dumps(rest).strip("\n") + "\n" if len(rest) else ""
    # Keys without a header, such as `broker.hosts`, would be taken for some of [site]'s.
    parts.insert(0 if _begins_with_keys(shared) else len(parts), shared)
    parts += [text for _, text in device_blocks(draft, lang)]
    kept = {}
    if isinstance(declared, Mapping):
        kept = {key: value for key, value in declared.items() if key not in draft.serves}
    lines = "".join(f"{key} = {tomlkit.item(value).as_string()}\n" for key, value in kept.items())
    if kept or reasons:
        parts.append("[not_fitted]\n" + lines + not_fitted_lines(reasons))
    return "\n".join(part for part in parts if part)


def _begins_with_keys(text: str) -> bool:
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and line[0] != "#"), "[")[0] != "["


def with_new(text: str, draft: Draft, lang: Language) -> str:
    """Return an existing file's text with what is new beside its like; comments stay."""
    # What has a device now is no longer a thing that is missing.
    served = draft.serves & section(tomllib.loads(text), "not_fitted").keys()
    if served:
        try:
            document = tomlkit.parse(text)
        except TOMLKitError:
            raise RefusedError("init.bad_file", file="") from None
        for duty in served:
            section(document, "not_fitted").pop(duty)
        text = tomlkit.dumps(document)
    for name, block in device_blocks(draft, lang):
        text = _inserted(text, name, block)
    return text


def _inserted(text: str, name: str, block: str) -> str:
    """Put a block behind the last of its kind, else at the end."""
    places = line_of_each_key(text)
    last = max((line for path, line in places.items() if path[0] == name), default=None)
    following = [line for path, line in places.items() if last is not None and line > last]
    lines = text.splitlines(keepends=True)
    if not following:
        return text.rstrip("\n") + f"\n\n{block}"
    at = min(following) - 1
    # The comment right above the next section is about that.
    while at > 0 and lines[at - 1].lstrip().startswith("#"):
        at -= 1
    before = "".join(lines[:at]).rstrip("\n")
    return f"{before}\n\n{block}\n{''.join(lines[at:])}"
