"""Checks of this machine alone: fake trees of files, fake rights, fake words of systemd."""

import os
import socket
import sqlite3
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.credentials import Credentials
from agent.diagnosis import county, look, machine, ports, settings_file
from agent.diagnosis.checks import CheckResult
from agent.diagnosis.look import BlindLook
from agent.diagnosis.plan import SharedLook
from agent.diagnosis.ports import User
from agent.findings import Cause
from agent.settings import SiteSettings
from agent.site_file import load_site
from agent.store.outbox import SCHEMA
from tests.daemon import RecorderBlock, whole_site
from tests.simulated_clock import SimulatedClock

SECRET = "hunter2-fake"
ROOT_USER = User("root", 0, frozenset({0}))
SERVICE = User("campus-agent", 999, frozenset({999, 20}))
DIALOUT = 20


def by_id(found: list[CheckResult]) -> dict[str, CheckResult]:
    return {one.id: one for one in found}


def code(found: CheckResult) -> str:
    return found.cause.code if found.cause is not None else ""


# ---- serial ports


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A machine with one port, whose device is /dev/null: it is there, and of characters."""
    (tmp_path / "dev/serial/by-id").mkdir(parents=True)
    (tmp_path / "dev/serial/by-id/usb-io").symlink_to("/dev/null")
    (tmp_path / "dev/ttyUSB0").symlink_to("/dev/null")
    (tmp_path / "proc/self").mkdir(parents=True)
    return tmp_path


def process(tree: Path, pid: int, program: str, *opened: str) -> None:
    folder = tree / "proc" / str(pid) / "fd"
    folder.mkdir(parents=True)
    (folder.parent / "comm").write_text(f"{program}\n")
    for number, path in enumerate(opened):
        (folder / str(number)).symlink_to(path)


def port(tree: Path, path: str, agent: int | None = None) -> dict[str, CheckResult]:
    return by_id(list(ports.port("io", path, ROOT_USER, agent, tree)))


def test_a_port_with_a_lasting_name_that_nobody_holds_is_well(tree: Path) -> None:
    process(tree, 10, "sshd", "/dev/zero")
    found = port(tree, "/dev/serial/by-id/usb-io")
    assert list(found) == [
        "serial.port:io", "serial.name:io", "serial.rights:io", "serial.holder:io",
    ]  # fmt: skip
    assert {one.verdict for one in found.values()} == {"ok"}
    assert found["serial.holder:io"].evidence == Cause(code="seen.held_by_nobody")


def test_a_port_that_is_not_there_or_is_no_port_fails_with_one_line(tree: Path) -> None:
    (gone,) = port(tree, "/dev/ttyUSB7").values()
    assert (gone.verdict, code(gone)) == ("fail", "host.serial_missing")
    (tree / "dev/plain").write_text("")
    (plain,) = port(tree, "/dev/plain").values()
    assert (plain.verdict, code(plain)) == ("fail", "diagnosis.port_no_device")


def test_a_number_that_changes_is_no_good_name(tree: Path) -> None:
    found = port(tree, "/dev/ttyUSB0")
    assert found["serial.name:io"].verdict == "warn"
    assert code(found["serial.name:io"]) == "diagnosis.port_name"


def test_a_port_over_the_network_is_not_looked_for_here(tree: Path) -> None:
    (found,) = port(tree, "rfc2217://10.0.0.7:4001").values()
    assert found.verdict == "ok"


def test_another_program_on_the_port_is_named(tree: Path) -> None:
    process(tree, 41, "minicom", "/dev/zero", "/dev/null")
    held = port(tree, "/dev/ttyUSB0")["serial.holder:io"]
    assert (held.verdict, code(held)) == ("fail", "diagnosis.port_held")
    assert held.cause is not None
    assert held.cause.params == {"program": "minicom", "pid": 41}
    # Beside the agent it only takes away some of the bytes.
    process(tree, 40, "campus-agent", "/dev/null")
    shared = port(tree, "/dev/ttyUSB0", agent=40)["serial.holder:io"]
    assert (shared.verdict, code(shared)) == ("warn", "diagnosis.port_shared")


def test_the_agent_alone_on_the_port_is_well(tree: Path) -> None:
    process(tree, 40, "campus-agent", "/dev/null")
    found = port(tree, "/dev/ttyUSB0", agent=40)["serial.holder:io"]
    assert found.evidence == Cause(code="seen.held_by_agent")


def test_processes_that_may_not_be_looked_at_leave_it_unknown(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process(tree, 50, "secret")
    listed = Path.iterdir

    def refusing(self: Path) -> Any:
        if "50" in self.parts:
            raise PermissionError
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", refusing)
    found = port(tree, "/dev/ttyUSB0")["serial.holder:io"]
    assert (found.verdict, code(found)) == ("unknown", "diagnosis.port_unseen")


def rights(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((stat.S_IFCHR | mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "user", "may"),
    [
        (0o660, 0, DIALOUT, SERVICE, True),
        (0o660, 0, 5, SERVICE, False),
        (0o640, 0, DIALOUT, SERVICE, False),
        (0o666, 0, 5, SERVICE, True),
        (0o600, 999, 5, SERVICE, True),
        (0o060, 999, DIALOUT, SERVICE, False),  # the owner's bits count for the owner
        (0o000, 5, 5, ROOT_USER, True),
    ],
)
def test_whose_port_it_is(mode: int, uid: int, gid: int, user: User, may: bool) -> None:
    assert ports.may_use(rights(mode, uid, gid), user) is may


def test_a_refused_port_names_user_and_group(tree: Path) -> None:
    found = ports._rights("io", "/dev/ttyUSB0", rights(0o660, 0, 4711), SERVICE)
    assert found.verdict == "fail"
    assert found.next_step is not None
    assert found.next_step.params["group"] == "4711"


def test_programs_that_take_adapters_are_named_unless_kept_away(tree: Path) -> None:
    assert {one.verdict for one in ports.rivals(tree)} == {"ok"}
    process(tree, 60, "ModemManager")
    process(tree, 61, "brltty")
    found = by_id(list(ports.rivals(tree)))
    assert code(found["serial.modem-manager"]) == "diagnosis.modem_manager"
    assert code(found["serial.brltty"]) == "diagnosis.brltty"
    (tree / "etc/udev/rules.d").mkdir(parents=True)
    (tree / "etc/udev/rules.d/70-campus-agent.rules").write_text("")
    assert by_id(list(ports.rivals(tree)))["serial.modem-manager"].verdict == "ok"


# ---- the file and its secrets


def settings(directory: Path) -> Path:
    block = RecorderBlock("nvr", 80, 554, directory / "nvr.secret", 2)
    place = directory / "site.toml"
    place.write_text(whole_site(directory, 1883, [block]), encoding="utf-8")
    return place


def secret(directory: Path, mode: int = 0o600, text: str = SECRET) -> None:
    place = directory / "nvr.secret"
    place.write_text(text, encoding="utf-8")
    place.chmod(mode)


def read(place: Path) -> SiteSettings:
    site = load_site(place).site
    assert site is not None
    return site


def test_a_good_file_and_its_notes(tmp_path: Path) -> None:
    secret(tmp_path)
    found = by_id(list(settings_file.settings_file(settings(tmp_path))))
    assert found.pop("settings.file").verdict == "ok"
    assert set(found) == {
        "settings.note:in-the-clear",
        "settings.note:no-password",
        "settings.note:gate-plain-no",
    }
    assert {one.verdict for one in found.values()} == {"warn"}


def test_a_bad_file_is_one_thing_to_do(tmp_path: Path) -> None:
    place = settings(tmp_path)
    place.write_text(
        place.read_text().replace("baud =", "bauds =").replace("[cameras]", "[camera]")
    )
    (found,) = settings_file.settings_file(place)
    assert (found.verdict, len(found.also)) == ("fail", 1)
    assert found.next_step == Cause(code="next.diagnosis.file")
    assert found.evidence is not None
    assert found.evidence.params["line"] > 1  # type: ignore[operator]
    (absent,) = settings_file.settings_file(tmp_path / "none.toml")
    assert code(absent) == "file.absent"


@pytest.mark.parametrize(
    ("mode", "text", "expected"),
    [
        (0o600, SECRET, ""),
        (0o640, SECRET, ""),
        (0o644, SECRET, "credential.exposed"),
        (0o660, SECRET, "credential.exposed"),
        (0o600, "", "credential.empty"),
        (0o600, f"{SECRET}\nmore", "credential.not_text"),
    ],
)
def test_a_secret_is_readable_by_the_right_ones_and_never_told(
    tmp_path: Path, mode: int, text: str, expected: str
) -> None:
    secret(tmp_path, mode, text)
    (found,) = settings_file.secrets(read(settings(tmp_path)), Credentials(None), root=True)
    assert found.id == "credentials.secret:nvr"
    assert code(found) == expected
    assert found.verdict == ("fail" if expected else "ok")
    assert SECRET not in found.model_dump_json()


def test_a_secret_that_is_not_there_fails(tmp_path: Path) -> None:
    (found,) = settings_file.secrets(read(settings(tmp_path)), Credentials(None), root=True)
    assert (found.verdict, code(found)) == ("fail", "credential.absent")


def test_without_root_what_only_root_may_read_is_unknown(tmp_path: Path) -> None:
    place = settings(tmp_path)
    own = f'{{ file = "{tmp_path}/nvr.secret" }}'
    place.write_text(place.read_text().replace(own, '{ credential = "nvr" }'))
    site = read(place)
    (found,) = settings_file.secrets(site, Credentials(None), root=False)
    assert (found.verdict, code(found)) == ("unknown", "credential.no_directory")
    (found,) = settings_file.secrets(site, Credentials(None), root=True)
    assert found.verdict == "fail"


# ---- machine and service


def test_the_machine_is_measured_here(tmp_path: Path, clock: SimulatedClock) -> None:
    site = read(settings(tmp_path))
    site = site.model_copy(update={"state": site.state.model_copy(update={"directory": tmp_path})})
    found = by_id(list(machine.host(site, clock)))
    assert set(found) == {
        "disk.space", "machine.memory", "machine.load", "machine.temperature", "clock.ntp",
    }  # fmt: skip
    full = {"disk_free_warn_ratio": 1.0, "disk_free_fail_ratio": 1.0}
    strict = site.model_copy(update={"host": site.host.model_copy(update=full)})
    space = by_id(list(machine.host(strict, clock)))["disk.space"]
    assert (space.verdict, code(space)) == ("fail", "host.disk_full")


@pytest.mark.parametrize(
    ("shown", "verdict", "expected"),
    [
        ("ActiveState=active\nSubState=running\nNRestarts=0\nResult=success\n", "ok", ""),
        ("ActiveState=active\nSubState=running\nNRestarts=9\n", "warn", "diagnosis.restarts"),
        ("ActiveState=failed\nSubState=failed\nResult=exit-code\n", "fail", "diagnosis.unit"),
        ("ActiveState=inactive\nSubState=dead\nNRestarts=x\n", "fail", "diagnosis.unit"),
        ("", "fail", "diagnosis.unit"),
    ],
)
def test_what_systemd_says_of_the_unit(shown: str, verdict: str, expected: str) -> None:
    found = machine.unit_state(shown)
    assert (found.verdict, code(found)) == (verdict, expected)


def test_a_machine_without_systemd_says_so(tmp_path: Path) -> None:
    (found,) = machine.unit(tmp_path)
    assert found.evidence == Cause(code="seen.no_systemd")


@pytest.mark.parametrize(
    ("silence", "verdict"),
    [("control.not_running", "fail"), ("control.denied", "unknown"), ("control.no_answer", "fail")],
)
def test_an_agent_that_does_not_answer(silence: str, verdict: str) -> None:
    (found,) = machine.agent(BlindLook(Cause(code=silence)))
    assert (found.verdict, code(found)) == (verdict, silence)


def test_an_agent_that_hangs_is_named_as_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "ANSWER_SECONDS", 0.2)
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        assert look.asked(path) == Cause(code="control.no_answer", params={"path": str(path)})
    # Once it is gone, its socket left behind, its devices are free.
    shared = SharedLook(path, read(settings(tmp_path)), Credentials(None), SimulatedClock())
    assert shared.get().silence == Cause(code="control.not_running", params={"path": str(path)})
    assert not shared.get().running


def test_an_agent_that_may_not_be_asked_has_its_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = Cause(code="control.denied", params={"path": "x"})
    monkeypatch.setattr("agent.diagnosis.plan.asked", lambda _: denied)
    shared = SharedLook(tmp_path, read(settings(tmp_path)), Credentials(None), SimulatedClock())
    assert shared.get().running
    assert shared.get().state("button", "gate") is None


# ---- what waits to be sent


class Told(BlindLook):
    def __init__(self, counts: Mapping[str, int] | None) -> None:
        super().__init__(Cause(code="control.denied"))
        self._counts = counts

    def outbox(self) -> Mapping[str, int] | None:
        return self._counts


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"waiting": 3, "refused": 0}, ("ok", "ok")),
        ({"waiting": 51, "refused": 0}, ("warn", "ok")),
        ({"waiting": 0, "refused": 1}, ("ok", "warn")),
        (None, ("unknown", "unknown")),
    ],
)
def test_a_backlog_and_what_was_refused(
    tmp_path: Path, counts: Mapping[str, int] | None, expected: tuple[str, str]
) -> None:
    found = county.outbox(Told(counts), tmp_path)
    assert tuple(one.verdict for one in found) == expected


def test_the_stores_of_an_agent_that_does_not_run_are_counted(tmp_path: Path) -> None:
    assert county.stored(tmp_path) == {"waiting": 0, "refused": 0}
    with sqlite3.connect(tmp_path / "events.db") as db:
        db.executescript(SCHEMA)
        row = "INSERT INTO message VALUES(?, 'e', ?, 1, 't', '{}', 0, 0, '', ?, ?)"
        db.execute(row, ("a", 1, None, None))
        db.execute(row, ("b", 2, None, "not authorised"))
        db.execute(row, ("c", 3, 5.0, None))
    db.close()
    assert county.stored(tmp_path) == {"waiting": 1, "refused": 1}
    (tmp_path / "alarms.db").write_bytes(b"spoilt" * 2000)
    assert county.stored(tmp_path) is None
