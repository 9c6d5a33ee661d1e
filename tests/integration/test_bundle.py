"""The support bundle of a school with secrets and pictures wherever they could be."""

import base64
import json
import os
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from agent.control.server import Args, ControlServer
from agent.credentials import Redactor
from agent.store.database import Database
from agent.store.formats import ALARM_FORMATS, EVENT_FORMATS
from agent.support_bundle import contents, sieve
from agent.support_bundle.making import Asked, Made, make
from tests.simulated_clock import SimulatedClock
from tests.system.leaks import a_picture, pictures_in, secret_in

NOW = datetime(2026, 11, 28, 7, 30, tzinfo=UTC)
SECRETS = {
    "file": "Nvr-pass/4711 ü?",
    "credential": "Broker-pass/0815 ß&",
    "inline": "Inline-pass%0042",
    "misspelt": "Misspelt-pass-5150",
    "address": "Addr@ess-pass:77",
    "comment": "Comment-pass-31",
    "log address": "Log-pass-99",
    "log field": "Field pass 12",
    "sun key": "00112233445566778899AABBCCDDEEFF",
    "private key": "MC4CAQAwBQYDK2VwBCIEIJ0fakefakefakefakefakefakefakefakefakefake",
}
# Known by what stands around them alone; a comment is known by nothing.
NEVER_KEPT = ("log address", "log field")
GUARD = "Wang Xiaoming"
JPEG, PNG = a_picture("jpeg"), a_picture("png")
SITE = """
[site]
county = "county"
id = "school"
name = "School (door {file})"
[state]
directory = "{directory}/state"
[control]
socket = "{directory}/control.sock"
[broker]
hosts = ["127.0.0.1:1"]  # it was {comment} before
password = {{ credential = "broker" }}
pasword = "{misspelt}"
[broker.tls]
key = {{ file = "{directory}/broker.key" }}
[[alarm_module]]
id = "io"
driver = "modbus"
port = "/dev/serial/by-id/none"
[[alarm_module.button]]
id = "gate"
name = "Gate {address}"
input = 0
wiring = "no"
[[nfc_reader]]
id = "reader"
driver = "pn532"
port = "/dev/serial/by-id/none-too"
sun_keys = {{ file = "{directory}/sun.keys" }}
[[checkpoint]]
id = "wall"
name = "Wall of {guard}"
tag = "nfca:04A1B2C3D4E580"
[[guard_card]]
id = "w-12"
name = "{guard}"
tag = "nfca:04E5F6A7B8C980"
[[recorder]]
id = "nvr"
driver = "hikvision"
host = "127.0.0.1"
username = "inspector"
password = {{ file = "{directory}/nvr.secret" }}
[[recorder.channel]]
number = 1
id = "cam"
name = "Camera with {file}"
[[recorder]]
id = "nvr-2"
driver = "hikvision"
host = "viewer:{address}@10.0.0.9"
username = "inspector"
password = "{inline}"
[not_fitted]
gate_manned = "test"
police_link = "test"
"""


def log_lines() -> Iterator[str]:
    """Yield what a careless program might write."""
    yield f"opening rtsp://viewer:{SECRETS['log address']}@10.0.0.4:554/1"
    yield f"asked, password='{SECRETS['log field']}', refused"
    for secret in (SECRETS[what] for what in SECRETS if what not in ("comment", *NEVER_KEPT)):
        yield f"login {secret} refused"
        yield f"GET /x?password={quote(secret, safe='')}&y=1"
        yield json.dumps({"event": "asked", "of": secret})
        yield json.dumps({"event": "asked", "password": secret}, ensure_ascii=False)
        for before in ("", "a", "in"):
            login = f"{before}inspector:{secret}".encode()
            yield "Basic " + base64.b64encode(login).decode() + " sent"
            yield "token " + base64.urlsafe_b64encode(login).decode() + " sent"
        yield f"as bytes {secret.encode().hex()} sent"
        yield f"opening rtsp://viewer:{quote(secret, safe='')}@10.0.0.4:554/1"
        yield f"opening rtsp://viewer:{secret}@10.0.0.4:554/1"
    yield f"card of {GUARD} read"
    yield f"keys {SECRETS['sun key'].lower()} read"
    for picture in (JPEG, PNG):
        coded = base64.b64encode(picture).decode()
        yield f'{{"picture": "{coded}"}}'
        yield f"data:image/jpeg;base64,{coded}"
        yield from base64.encodebytes(picture).decode().splitlines()
        yield "one more " + base64.urlsafe_b64encode(b"xy" + picture).decode()
        yield f"got {picture.hex()}"
        yield f"got {picture[:40]!r}"
        yield "got " + picture.decode("latin-1").replace("\n", "")
    yield "the last line is kept"


class Planted:
    """The school, its log, and a daemon that answers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "etc" / "site.toml"
        (directory / "etc" / "credentials").mkdir(parents=True)
        (directory / "state" / "thumbnails").mkdir(parents=True)
        (directory / "state" / "thumbnails" / "cam.jpg").write_bytes(JPEG)
        (directory / "state" / "thumbnails" / "cam-2.jpg").write_bytes(PNG)
        self._secret("nvr.secret", SECRETS["file"])
        self._secret("etc/credentials/broker", SECRETS["credential"])
        self._secret("sun.keys", "0" * 31 + "1\n" + SECRETS["sun key"])
        armour = "-----{} PRIVATE KEY-----"
        key = "\n".join([armour.format("BEGIN"), SECRETS["private key"], armour.format("END")])
        self._secret("broker.key", key)
        text = SITE.format(directory=directory, guard=GUARD, **SECRETS)
        self.config.write_text(text, encoding="utf-8")
        self.log = directory / "journal"
        self.log.write_bytes("\n".join(log_lines()).encode() + b"\n" + JPEG + b"\nafter it\n")
        self.programs = directory / "bin"
        self.programs.mkdir()
        self.program("journalctl", f'cat "{self.log}"')
        self.program("systemctl", "echo ActiveState=active; echo Environment=PASSWORD=x")
        for name, formats in (("alarms", ALARM_FORMATS), ("events", EVENT_FORMATS)):
            database = Database(directory / "state" / f"{name}.db", formats, _no_beat(name))
            database.start()
            database.stop()
        self.server = ControlServer(directory / "control.sock", {"status": self._status})

    def program(self, name: str, does: str) -> None:
        """Put a stand-in for a program of the system in its place."""
        place = self.programs / name
        place.write_text(f"#!/bin/sh\n{does}\n")
        place.chmod(0o755)

    def bundle(self, lang: Any = "en") -> Made:
        out = self.directory / f"bundle-{time.monotonic_ns()}.tar.gz"
        return make(Asked(self.config, out, None, 1000, lang), {}, NOW)

    def _secret(self, name: str, content: str) -> None:
        place = self.directory / name
        place.write_text(content + "\n", encoding="utf-8")
        place.chmod(0o600)

    def _status(self, _args: Args, _who: str) -> dict[str, Any]:
        causes = [{"code": "agent.disk", "params": {"detail": SECRETS["file"]}}]
        picture = base64.b64encode(JPEG).decode()
        return {"states": [{"kind": "agent", "causes": causes, "picture": picture}]}


def _no_beat(name: str) -> Any:
    from agent.liveness import Liveness  # noqa: PLC0415 - for the stores alone

    return Liveness(SimulatedClock()).beat(name)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Planted]:
    planted = Planted(tmp_path)
    monkeypatch.setenv("PATH", f"{planted.programs}:/usr/bin:/bin")
    planted.server.start()
    yield planted
    planted.server.stop()


def unpacked(made: Made) -> Mapping[str, bytes]:
    with tarfile.open(made.path) as tar:
        files = {one.name.partition("/")[2]: tar.extractfile(one) for one in tar.getmembers()}
        return {name: file.read() for name, file in files.items() if file is not None}


def leaks(made: Made) -> set[str]:
    """Name all that was put in and is in the bundle, in whatever form."""
    found = set()
    for name, content in unpacked(made).items():
        for what, secret in SECRETS.items():
            plain = secret.encode()
            forms = [secret.lower().encode(), plain.hex().encode(), plain.hex().upper().encode()]
            # A part of it would be a help to whoever guesses the rest.
            forms += [plain[at : at + 7] for at in range(len(plain) - 6)]
            if secret_in(content, secret) or any(form in content for form in forms):
                found.add(f"{what} in {name}")
        found |= {f"{kind} in {name}" for kind in pictures_in(content)}
        found |= {f"part of a picture in {name}" for part in _parts() if part in content}
        if GUARD.encode() in content:
            found.add(f"a guard in {name}")
    return found


def _parts() -> Iterator[bytes]:
    for picture in (JPEG, PNG):
        lines = base64.encodebytes(picture).splitlines()
        yield from (line[8:40] for line in lines[:-1])
        yield picture.hex().encode()[100:140]
        yield repr(picture[:40]).encode()[4:24]


def test_nothing_that_was_put_in_is_in_it(planted: Planted) -> None:
    for lang in ("en", "zh"):
        made = planted.bundle(lang)
        assert leaks(made) == set()
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o600


def test_what_is_no_secret_is_in_it(planted: Planted) -> None:
    made = planted.bundle()
    files = {name: content.decode() for name, content in unpacked(made).items()}
    assert made.left_out == ()
    assert sorted(files) == [
        "MANIFEST.txt",
        "config-check.txt",
        "log.txt",
        "machine.json",
        "patrol-today.txt",
        "ports.json",
        "settings.toml",
        "states.json",
        "stores.json",
        "unit.json",
        "versions.json",
    ]
    assert 'password = { credential = "broker" }' in files["settings.toml"]
    assert f'file = "{planted.directory}/nvr.secret"' in files["settings.toml"]
    assert 'pasword = "***"' in files["settings.toml"]
    assert "a password never stands in this file" in files["config-check.txt"]
    assert "\nthe last line is kept\n[" in files["log.txt"]
    assert files["log.txt"].endswith("\nafter it\n")
    assert "opening rtsp://***@10.0.0.4:554/1" in files["log.txt"]
    assert json.loads(files["states.json"])["states"][0]["kind"] == "agent"
    assert json.loads(files["unit.json"]) == {"ActiveState": "active"}
    stores = json.loads(files["stores.json"])
    assert stores["folders"] == {"thumbnails": 2}
    assert stores["stores"]["events.db"]["quick_check"] == "ok"
    assert stores["stores"]["alarms.db"]["waiting"] == {}
    assert not json.loads(files["ports.json"])["configured"]["/dev/serial/by-id/none"]["there"]
    assert json.loads(files["versions.json"])["python"]
    assert "tours of 5" in files["patrol-today.txt"]
    assert "log.txt" in files["MANIFEST.txt"]
    assert "pictures" in files["MANIFEST.txt"]


@pytest.mark.parametrize("broken", ["redact", "rules", "pictures", "blanked", "forms"])
def test_each_part_of_the_sieve_is_missed_when_it_is_not_there(
    broken: str, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search above would find what each of them holds back."""
    match broken:
        case "redact":
            monkeypatch.setattr(Redactor, "__call__", lambda _self, text: text)
            expected = "file in log.txt"
        case "rules":
            monkeypatch.setattr(sieve, "_RULES", ())
            expected = "log address in log.txt"
        case "pictures":
            monkeypatch.setattr(sieve, "without_pictures", lambda text, _instead: text)
            expected = "jpeg in log.txt"
        case "forms":
            monkeypatch.setattr(sieve, "_forms", lambda _secret: set())
            expected = "file in log.txt"
        case _:
            monkeypatch.setattr(contents, "blanked", str)
            expected = "comment in settings.toml"
    assert expected in leaks(planted.bundle())


def test_what_fails_or_hangs_is_a_line_of_the_manifest(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.server.stop()
    planted.program("journalctl", "exec sleep 60")
    (planted.programs / "systemctl").unlink()
    monkeypatch.setenv("PATH", str(planted.programs))
    monkeypatch.setattr(contents, "LOG_SECONDS", 0.5)
    planted.program("journalctl", "exec /bin/sleep 60")
    (planted.directory / "state" / "events.db").write_bytes(b"no store at all" * 400)
    before = time.monotonic()
    made = planted.bundle()
    assert time.monotonic() - before < 20
    assert [line.partition(" ")[0] for line in made.left_out] == [
        "states.json",
        "log.txt",
        "unit.json",
        "patrol-today.txt",
    ]
    files = {name: content.decode() for name, content in unpacked(made).items()}
    assert "not running" in files["MANIFEST.txt"]
    assert "journalctl ended with status -9" in files["MANIFEST.txt"]
    assert "there is no systemctl on this machine" in files["MANIFEST.txt"]
    assert "not a database" in files["stores.json"]
    assert leaks(made) == set()


def test_a_source_that_never_answers_is_given_up(planted: Planted) -> None:
    """A disk that hangs does not give a thread back."""
    planted.program("systemctl", "exec sleep 60")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "stores", lambda *_: time.sleep(60))
        patch.setattr("agent.support_bundle.making.GATHER_SECONDS", 1.0)
        before = time.monotonic()
        made = planted.bundle()
    assert time.monotonic() - before < 10
    assert {"unit.json", "stores.json"} <= {line.partition(" ")[0] for line in made.left_out}


def test_without_the_secrets_known_nothing_is_in_it(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("agent.support_bundle.making.learn", broken)
    made = planted.bundle()
    assert list(unpacked(made)) == ["MANIFEST.txt"]
    assert len(made.left_out) == 10


def test_a_long_log_keeps_its_end(planted: Planted) -> None:
    line = "a line of the log that says nothing of interest to anybody\n"
    planted.log.write_text(line * 60_000 + "the very last\n")
    log = unpacked(planted.bundle())["log.txt"]
    assert len(log) <= 2_000_000
    assert log.startswith(line.encode())
    assert log.endswith(b"the very last\n")


@pytest.mark.parametrize("text", ["", "[site\nname = 'x'", "\x00\xff", "name = 'Nvr-pass/4711 ü?"])
def test_settings_that_cannot_be_read_are_told_without_a_value(text: str, planted: Planted) -> None:
    planted.config.write_text(text, encoding="utf-8")
    made = planted.bundle()
    assert leaks(made) == set()
    assert not {"log.txt", "states.json"} & unpacked(made).keys()
    assert "'x'" not in unpacked(made)["settings.toml"].decode()


def test_the_command_prints_the_path_last_and_overwrites_nothing(planted: Planted) -> None:
    def bundle(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "agent", "bundle", "--lang", "en", *words],
            cwd=planted.directory,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    config = ("--config", str(planted.config))
    done = bundle(*config)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.splitlines()[-1])
    assert path.parent == planted.directory
    assert path.name.startswith("campus-agent-school-")
    assert tarfile.is_tarfile(path)
    again = bundle(*config, "--out", str(planted.config))
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert planted.config.read_text(encoding="utf-8").startswith("\n[site]")
    nowhere = bundle(*config, "--out", "/nowhere/at/all.tar.gz")
    assert nowhere.returncode == 2
    assert "could not be written" in nowhere.stderr
