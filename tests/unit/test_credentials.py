import json
import os
import urllib.parse
from pathlib import Path

import pytest

from agent.credentials import CredentialError, Credentials
from agent.settings_report import report
from agent.settings_types import SecretReference

EXAMPLE = Path(__file__).parents[2] / "config" / "site.example.toml"
SECRET = 'p&ss "wörd"/'


def _file(path: Path, content: bytes, mode: int = 0o600) -> SecretReference:
    path.write_bytes(content)
    path.chmod(mode)
    return SecretReference(file=str(path))


def _refusal(credentials: Credentials, reference: SecretReference) -> CredentialError:
    with pytest.raises(CredentialError) as caught:
        credentials.resolve(reference)
    return caught.value


def test_a_secret_comes_from_systemds_directory(tmp_path: Path) -> None:
    (tmp_path / "broker").write_bytes(b"abc\n")
    (tmp_path / "broker").chmod(0o400)
    credentials = Credentials.from_environ({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    secret = credentials.resolve(SecretReference(credential="broker"))
    assert secret.get_secret_value() == "abc"
    assert "abc" not in repr(secret) + str(secret) + repr(credentials.redactor)


def test_a_secret_of_a_directory_that_systemd_loads_is_found_by_its_file_name(
    tmp_path: Path,
) -> None:
    for name, content in (("site_broker", b"ours"), ("broker", b"another")):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o400)
    credentials = Credentials(tmp_path)
    assert credentials.resolve(SecretReference(credential="broker")).get_secret_value() == "ours"


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"abc", "abc"),
        (b"abc\n", "abc"),
        (b"abc\r\n", "abc"),
        (b" abc \n", " abc "),
        ("密码".encode(), "密码"),
    ],
)
def test_one_line_end_and_nothing_else_is_taken_off(
    content: bytes, secret: str, tmp_path: Path
) -> None:
    found = Credentials(None).resolve(_file(tmp_path / "s", content))
    assert found.get_secret_value() == secret


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "credential.empty"),
        (b"\n", "credential.empty"),
        (b"abc\n\n", "credential.not_text"),
        (b"a\nb\n", "credential.not_text"),
        (b"\xff\xfe", "credential.not_text"),
        (b"a\0b", "credential.not_text"),
        (b"a" * 4097, "credential.too_large"),
    ],
)
def test_what_is_no_secret_is_refused_and_not_quoted(
    content: bytes, code: str, tmp_path: Path
) -> None:
    error = _refusal(Credentials(None), _file(tmp_path / "s", content))
    assert error.cause.code == code
    assert error.cause.params == {"file": str(tmp_path / "s")}
    assert str(tmp_path / "s") in str(error)


# Root, who runs these tests and may run the agent, can read every one of them.
@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o601, 0o620, 0o666])
def test_a_file_others_can_get_at_is_refused_by_its_mode(mode: int, tmp_path: Path) -> None:
    error = _refusal(Credentials(None), _file(tmp_path / "nvr-secret", b"abc", mode))
    assert error.cause.code == "credential.exposed"
    assert "nvr-secret" in str(error)
    assert "abc" not in str(error)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_a_file_of_owner_and_group_is_taken(mode: int, tmp_path: Path) -> None:
    assert (
        Credentials(None).resolve(_file(tmp_path / "s", b"abc", mode)).get_secret_value() == "abc"
    )


def test_things_in_place_of_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, code in (
        ("none", "credential.absent"),
        ("pipe", "credential.not_a_file"),
        (".", "credential.not_a_file"),
    ):
        error = _refusal(Credentials(None), SecretReference(file=str(tmp_path / name)))
        assert error.cause.code == code


def test_a_credential_without_a_directory_names_what_is_missing() -> None:
    error = _refusal(Credentials.from_environ({}), SecretReference(credential="nvr-1"))
    assert error.cause.code == "credential.no_directory"
    assert "nvr-1" in str(error)


META, MASTER = "00" * 16, "A1b2" * 8


def test_keys_of_tags_are_two_lines_and_never_shown(tmp_path: Path) -> None:
    credentials = Credentials(None)
    keys = credentials.sun_keys(_file(tmp_path / "s", f"{META}\r\n{MASTER}\n".encode()))
    assert (keys.meta, keys.master) == (bytes(16), bytes.fromhex(MASTER))
    assert MASTER not in credentials.redactor(f"key {MASTER}")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        META.encode(),
        f"{META}\n{MASTER}\n{META}".encode(),
        f"{META}\n{MASTER}0".encode(),
        f"{META}\n{'G' * 32}".encode(),
        b"\xff\n\xfe",
    ],
)
def test_what_are_no_keys_is_refused_and_not_quoted(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(CredentialError) as raised:
        Credentials(None).sun_keys(_file(tmp_path / "s", content))
    assert raised.value.cause.code == "credential.not_keys"
    assert META not in str(raised.value)


def test_known_secrets_are_masked_however_they_are_written(tmp_path: Path) -> None:
    credentials = Credentials(None)
    credentials.resolve(_file(tmp_path / "s", SECRET.encode()))
    for text in (
        f"login {SECRET} failed",
        f"rtsp://user:{urllib.parse.quote(SECRET, safe='')}@10.0.0.1/",
        json.dumps({"password": SECRET}),
        json.dumps({"password": SECRET}, ensure_ascii=False),
        repr({"password": SECRET}),
    ):
        masked = credentials.redactor(text)
        assert "***" in masked
        assert "ss" not in masked.replace("password", "")
    assert credentials.redactor("nothing here") == "nothing here"


def test_a_secret_that_holds_another_is_masked_whole(tmp_path: Path) -> None:
    credentials = Credentials(None)
    credentials.resolve(_file(tmp_path / "a", b"abc"))
    credentials.resolve(_file(tmp_path / "b", b"abcdef"))
    assert credentials.redactor("x abcdef y abc z") == "x *** y *** z"


def test_config_check_names_an_exposed_secret_its_line_and_its_device(tmp_path: Path) -> None:
    secret = tmp_path / "nvr-secret"
    _file(secret, b"abc", 0o644)
    text = EXAMPLE.read_text(encoding="utf-8")
    text = text.replace('{ credential = "nvr-1" }', f'{{ file = "{secret}" }}')
    file = tmp_path / "site.toml"
    file.write_text(text, encoding="utf-8")
    [problem] = report(file).problems
    assert (problem.code, problem.device) == ("credential.exposed", "nvr-1")
    assert str(secret) in text.split("\n")[problem.line - 1]
    secret.unlink()  # the file is checked on another machine than it is for
    found = report(file)
    assert found.problems == ()
    assert "config.note_elsewhere" in [note.code for note in found.notes]
