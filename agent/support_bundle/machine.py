"""The machine as a technician would look at it: versions, ports, room, the service."""

import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from agent import __version__
from agent.support_bundle.programs import said_by

UNIT = "campus-agent.service"
# Its environment and its command line are nobody's business.
UNIT_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Result",
    "NRestarts",
    "ExecMainStatus",
    "ExecMainStartTimestamp",
    "ActiveEnterTimestamp",
    "InactiveEnterTimestamp",
    "WatchdogTimestamp",
    "StatusText",
    "MemoryCurrent",
    "TasksCurrent",
    "CPUUsageNSec",
)
BY_ID = (Path("/dev/serial/by-id"), Path("/dev/input/by-id"))
_PACKAGE = re.compile(r"[A-Za-z0-9._-]+")
_SYSTEMCTL_SECONDS, _SYSTEMCTL_BYTES = 5.0, 64 << 10


def versions() -> dict[str, object]:
    """Return the versions of all that the agent is made of and stands on."""
    try:
        system: Mapping[str, str] = platform.freedesktop_os_release()
    except OSError:
        system = {}
    kernel = platform.uname()
    return {
        "agent": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _needed()},
        "kernel": f"{kernel.system} {kernel.release} {kernel.version} {kernel.machine}",
        "system": system.get("PRETTY_NAME"),
        "debian": _line(Path("/etc/debian_version")),
    }


def ports(configured: Iterable[str], by_id: Iterable[Path] = BY_ID) -> dict[str, object]:
    """Return the serial ports and readers there are, by id, and whether the settings' are there."""
    links = [link for folder in by_id if folder.is_dir() for link in sorted(folder.iterdir())]
    named = [Path(port) for port in configured if port.startswith("/")]
    return {
        "by_id": {str(link): str(link.resolve()) for link in links},
        "configured": {str(port): _port(port) for port in named},
    }


def room(state_directory: Path) -> dict[str, object]:
    """Return disks, memory and load."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    places = {str(place): place for place in (Path("/"), Path("/var/log"), state_directory)}
    return {
        "disks": {name: _disk(place) for name, place in places.items() if place.exists()},
        "memory": {"total_bytes": memory.total, "available_bytes": memory.available},
        "swap": {"total_bytes": swap.total, "used_bytes": swap.used},
        "load": list(os.getloadavg()),
        "processors": os.cpu_count(),
        "up_since": psutil.boot_time(),
    }


def unit() -> dict[str, str]:
    """Return how systemd stands with the service. Raises NotThereError."""
    wanted = ",".join(UNIT_PROPERTIES)
    command = ["systemctl", "show", UNIT, "--no-pager", f"--property={wanted}"]
    said = said_by(command, seconds=_SYSTEMCTL_SECONDS, keep_bytes=_SYSTEMCTL_BYTES)
    pairs = (line.partition("=") for line in said.splitlines())
    return {name: value for name, _, value in pairs if name in UNIT_PROPERTIES}


def _needed() -> list[str]:
    """Return the packages that the agent asks for; those of its tests are not on the machine."""
    try:
        wanted = importlib.metadata.requires("campus-agent") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    named = (_PACKAGE.match(one) for one in wanted if "extra ==" not in one)
    return sorted(found.group() for found in named if found)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _port(port: Path) -> dict[str, object]:
    try:
        found = port.stat()
    except OSError as error:
        return {"there": False, "why": error.strerror}
    mode, group = oct(found.st_mode & 0o777), found.st_gid
    return {"there": True, "is": str(port.resolve()), "mode": mode, "group": group}


def _disk(place: Path) -> dict[str, int]:
    usage = shutil.disk_usage(place)
    inodes = os.statvfs(place)
    return {
        "total_bytes": usage.total,
        "free_bytes": usage.free,
        "inodes_total": inodes.f_files,
        "inodes_free": inodes.f_ffree,
    }
