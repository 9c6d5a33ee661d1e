"""Serial ports from outside: there, named to stay, ours to use, and held by nobody else.

Nothing here opens a port.
"""

import grp
import os
import pwd
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from agent.diagnosis.checks import CheckResult, result, seen
from agent.findings import Cause
from agent.settings import SiteSettings

# Numbered in the order in which they were plugged in.
_CHANGING = ("/dev/ttyUSB", "/dev/ttyACM")
# Where our own rule keeps ModemManager away from serial adapters (systemd/70-campus-agent.rules).
_RULES = ("etc/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d")
_OUR_RULE = "70-campus-agent.rules"


class User(NamedTuple):
    """Whose rights are looked at."""

    name: str
    uid: int
    groups: frozenset[int]


class Holder(NamedTuple):
    """A process that has a port open."""

    pid: int
    program: str


def service_user() -> User:
    """Return the service's user; where there is none, who runs this."""
    try:
        entry = pwd.getpwnam("campus-agent")
    except KeyError:
        return User(_own_name(), os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))
    groups = frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid))
    # The unit adds these (SupplementaryGroups=).
    added = {one.gr_gid for one in grp.getgrall() if one.gr_name in ("dialout", "input")}
    return User(entry.pw_name, entry.pw_uid, groups | added)


def ports_of(site: SiteSettings) -> Mapping[str, str]:
    """Return every port of the site by path or address, with the first device on it."""
    found: dict[str, str] = {}
    for module in site.alarm_module:
        found.setdefault(module.port, module.id)
    # A wand is docked at a directory.
    readers = [reader for reader in site.nfc_reader if reader.driver != "wand"]
    alone = (site.alarm_loop, site.alarm_receiver, readers)
    return found | {each.port: each.id for devices in alone for each in devices}


def port(
    device: str, path: str, user: User, agent_pid: int | None, root: Path = Path("/")
) -> Iterator[CheckResult]:
    """Check one port; `root` stands in for `/`. What is not on this machine is only named."""
    if not path.startswith("/"):
        yield result("serial.port", device, evidence=seen("network_port", path=path))
        return
    place = root / path.lstrip("/")
    try:
        about = place.stat()
    except OSError:
        cause = Cause(code="host.serial_missing", params={"port": path})
        yield result("serial.port", device, "fail", cause)
        return
    if not stat.S_ISCHR(about.st_mode):
        cause = Cause(code="diagnosis.port_no_device", params={"path": path})
        yield result("serial.port", device, "fail", cause)
        return
    yield result("serial.port", device, evidence=seen("port", path=path))
    yield _name(device, path)
    yield _rights(device, path, about, user)
    yield _holder(device, about.st_rdev, agent_pid, root)


def rivals(root: Path = Path("/")) -> Iterator[CheckResult]:
    """Check for programs that are known to take serial adapters for their own."""
    running = set(_programs(root).values())
    ruled = any((root / folder / _OUR_RULE).exists() for folder in _RULES)
    if "ModemManager" not in running:
        yield result("serial.modem-manager", evidence=seen("not_running"))
    elif ruled:
        yield result("serial.modem-manager", evidence=seen("kept_away"))
    else:
        yield result("serial.modem-manager", "", "warn", Cause(code="diagnosis.modem_manager"))
    if "brltty" in running:
        yield result("serial.brltty", "", "warn", Cause(code="diagnosis.brltty"))
    else:
        yield result("serial.brltty", evidence=seen("not_running"))


def holders(device_number: int, root: Path = Path("/")) -> tuple[Sequence[Holder], bool]:
    """Return who has a device open, and whether every process could be looked at."""
    found, complete = [], True
    for pid, program in _programs(root).items():
        folder = root / "proc" / str(pid) / "fd"
        try:
            numbers = list(folder.iterdir())
        except FileNotFoundError:
            continue  # it has ended
        except OSError:
            complete = False
            continue
        if any(_is(each, device_number) for each in numbers):
            found.append(Holder(pid, program))
    return found, complete


def _name(device: str, path: str) -> CheckResult:
    if path.startswith(_CHANGING):
        cause = Cause(code="diagnosis.port_name", params={"path": path})
        return result("serial.name", device, "warn", cause)
    lasting = path.startswith(("/dev/serial/by-", "/dev/campus/", "/dev/ttyS"))
    return result(
        "serial.name",
        device,
        evidence=seen("lasting_name") if lasting else seen("own_name", path=path),
    )


def _rights(device: str, path: str, about: os.stat_result, user: User) -> CheckResult:
    if may_use(about, user):
        return result("serial.rights", device, evidence=seen("rights", user=user.name))
    params = {"user": user.name, "path": path, "group": _group(about.st_gid)}
    cause = Cause(code="diagnosis.port_denied", params=dict(params))
    return result("serial.rights", device, "fail", cause)


def may_use(about: os.stat_result, user: User) -> bool:
    """Tell whether a user may read and write a device: as owner, by a group, or as anybody."""
    if user.uid == 0:
        return True
    if user.uid == about.st_uid:
        wanted = stat.S_IRUSR | stat.S_IWUSR
    elif about.st_gid in user.groups:
        wanted = stat.S_IRGRP | stat.S_IWGRP
    else:
        wanted = stat.S_IROTH | stat.S_IWOTH
    return about.st_mode & wanted == wanted


def _holder(device: str, number: int, agent_pid: int | None, root: Path) -> CheckResult:
    found, complete = holders(number, root)
    strangers = [one for one in found if one.pid not in (agent_pid, os.getpid())]
    ours = len(strangers) < len(found)
    if strangers:
        one = strangers[0]
        params: dict[str, str | int | float] = {"program": one.program, "pid": one.pid}
        code = "diagnosis.port_shared" if ours else "diagnosis.port_held"
        cause = Cause(code=code, params=params)
        return result("serial.holder", device, "warn" if ours else "fail", cause)
    if not complete and not ours:
        return result("serial.holder", device, "unknown", Cause(code="diagnosis.port_unseen"))
    evidence = seen("held_by_agent" if ours else "held_by_nobody")
    return result("serial.holder", device, evidence=evidence)


def _programs(root: Path) -> Mapping[int, str]:
    found: dict[int, str] = {}
    for folder in (root / "proc").iterdir():
        if folder.name.isdecimal():
            try:
                found[int(folder.name)] = (folder / "comm").read_text().strip()
            except OSError:
                continue
    return found


def _is(descriptor: Path, number: int) -> bool:
    try:
        about = descriptor.stat()
    except OSError:
        return False
    return stat.S_ISCHR(about.st_mode) and about.st_rdev == number


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
