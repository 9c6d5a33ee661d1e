"""Secrets: read where the settings say, refused when others can read them, masked in text."""

import json
import os
import re
import stat
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from agent.findings import Cause
from agent.settings_types import SecretReference
from agent.text import explain
from drivers.nfc.sun import SunKeys

LARGEST_SECRET_BYTES = 4096
MASK = "***"
# `LoadCredential=site:DIRECTORY` loads every file of a directory, named `site_FILE`
# (systemd.exec(5)); our unit does so.
FOLDER = "site"
_AES_128_KEY = re.compile(r"[0-9A-Fa-f]{32}")


class CredentialError(Exception):
    """A secret cannot be used; `cause` names its file, never its content."""

    def __init__(self, code: str, **params: str) -> None:
        self.cause = Cause(code=code, params=dict(params))
        super().__init__(explain("en", self.cause))


class Redactor:
    """Replaces every secret it has been told of, also as URLs, JSON and Python write it."""

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms)} forms)"

    def add(self, secret: str) -> None:
        """Keep `secret` out of all text from now on."""
        forms = {
            secret,
            urllib.parse.quote(secret),
            urllib.parse.quote(secret, safe=""),
            urllib.parse.quote_plus(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            repr(secret)[1:-1],
        }
        forms.discard("")
        # A new tuple: another thread may be reading the old one. The longest form goes first.
        self._forms = tuple(sorted(forms | set(self._forms), key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """Return `text` with every known secret masked."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


class Credentials:
    """Reads secrets; `directory` is systemd's credentials directory, None when there is none.

    Every secret it hands out is known to `redactor` first.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self.redactor = Redactor()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Credentials":
        """Use the directory that systemd's LoadCredential= announces (systemd.exec(5))."""
        directory = environ.get("CREDENTIALS_DIRECTORY")
        return cls(Path(directory) if directory else None)

    def resolve(self, reference: SecretReference) -> SecretStr:
        """Read the secret. Raises CredentialError, which costs the device that needs it."""
        path = self._place(reference)
        secret = _text(_content(path), path)
        self.redactor.add(secret)
        return SecretStr(secret)

    def sun_keys(self, reference: SecretReference) -> SunKeys:
        """Read the meta key and the master key, a line each. Raises CredentialError."""
        path = self._place(reference)
        lines = _content(path).decode(errors="replace").split()
        if len(lines) != 2 or any(_AES_128_KEY.fullmatch(line) is None for line in lines):
            raise CredentialError("credential.not_keys", file=str(path))
        for line in lines:
            self.redactor.add(line)
        return SunKeys(*map(bytes.fromhex, lines))

    def path(self, reference: SecretReference) -> Path:
        """Return where a secret lies that a library reads by itself, such as a private key.

        Raises CredentialError when it is not there or others can read it.
        """
        path = self._place(reference)
        _content(path)
        return path

    def _place(self, reference: SecretReference) -> Path:
        if reference.file is not None:
            return Path(reference.file)
        if self._directory is None:
            raise CredentialError("credential.no_directory", name=str(reference.credential))
        path = self._directory / f"{FOLDER}_{reference.credential}"
        return path if path.exists() else self._directory / str(reference.credential)


def _content(path: Path) -> bytes:
    try:
        # O_NONBLOCK: a pipe in its place must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise CredentialError("credential.absent", file=str(path)) from None
    except OSError:
        raise CredentialError("credential.unreadable", file=str(path)) from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise CredentialError("credential.not_a_file", file=str(path))
        # By its mode, not by trying: root can read anything. The group may read (root:campus-agent
        # 0640 is the usual way to share a secret with a service) but not write.
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise CredentialError("credential.exposed", file=str(path))
        return os.read(descriptor, LARGEST_SECRET_BYTES + 1)
    except OSError:
        raise CredentialError("credential.unreadable", file=str(path)) from None
    finally:
        os.close(descriptor)


def _text(content: bytes, path: Path) -> str:
    if len(content) > LARGEST_SECRET_BYTES:
        raise CredentialError("credential.too_large", file=str(path))
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise CredentialError("credential.not_text", file=str(path)) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise CredentialError("credential.empty", file=str(path))
    if "\n" in text or "\0" in text:
        raise CredentialError("credential.not_text", file=str(path))
    return text
