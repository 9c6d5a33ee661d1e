"""All secrets of this machine's school, read so that they can be told apart from other text."""

import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.credentials import FOLDER, LARGEST_SECRET_BYTES
from agent.support_bundle.settings_copy import is_reference, persons_in, secrets_in
from agent.support_bundle.sieve import SHORTEST_FOUND, Sieve, addresses_secrets
from agent.text.columns import width

# As systemd.exec(5) has it for our unit.
SERVICE_CREDENTIALS = Path("/run/credentials/campus-agent.service")
# Of a file with several lines each is a secret; a shorter one is a word of its form.
SHORTEST_LINE = 8


@dataclass(frozen=True)
class Learned:
    """What is not known: `unread` are names of secrets, `blind` is that not even these are."""

    unread: tuple[str, ...]
    blind: bool


def learn(sieve: Sieve, configs: Iterable[Path], directories: Iterable[Path]) -> Learned:
    """Have the sieve know every secret that can be read, and who the persons are.

    `configs` are settings that are or were in use, `directories` hold nothing but secrets.
    Whether others could read a secret does not matter here.
    """
    files = {found.name: found for one in directories for found in _files(one)}
    for path in files.values():
        _add_content(sieve, path)
    unread, blind = dict[str, None](), True
    for text in _texts(configs):
        for secret in addresses_secrets(text):
            sieve.add(secret)
        data = _data_of(text)
        blind = blind and not data
        for found in secrets_in(data):
            if is_reference(found):
                unread |= dict.fromkeys(_not_read(sieve, found, files.keys()))
            elif isinstance(found, str) and len(found) >= SHORTEST_FOUND:
                sieve.add(found)
        for name in persons_in(data):
            if width(name) >= SHORTEST_FOUND:
                sieve.add(name)
    return Learned(tuple(unread), blind)


def directories_of(config: Path, credentials: str | None) -> list[Path]:
    """Return where secrets lie: beside the settings, and where systemd hands them over."""
    handed = [Path(credentials)] if credentials else []
    return [config.parent / "credentials", SERVICE_CREDENTIALS, *handed]


def _texts(configs: Iterable[Path]) -> Iterator[str]:
    for path in configs:
        try:
            yield path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue


def _data_of(text: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return {}


def _not_read(
    sieve: Sieve, reference: Mapping[str, str], handed_over: Container[str]
) -> Iterator[str]:
    """Read the secret a reference leads to; yield its name when that cannot be done."""
    for kind, name in reference.items():
        if kind == "file":
            known = _add_content(sieve, Path(name))
        else:
            known = name in handed_over or f"{FOLDER}_{name}" in handed_over
        if not known:
            yield name


def _files(directory: Path) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if path.is_file()]
    except OSError:
        return []


def _add_content(sieve: Sieve, path: Path) -> bool:
    try:
        # What is no plain file could hang, and holds no secret.
        content = path.read_bytes()[: 8 * LARGEST_SECRET_BYTES] if path.is_file() else b""
    except OSError:
        return False
    text = content.decode(errors="replace").strip("\r\n")
    lines = [line.rstrip("\r") for line in text.split("\n")] if text else []
    if len(lines) == 1:
        sieve.add(lines[0])
    for line in lines if len(lines) > 1 else ():
        if len(line) >= SHORTEST_LINE and not line.startswith("-----"):
            sieve.add(line)
    return bool(lines)
