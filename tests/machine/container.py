"""`make system`: a Debian root booted by systemd-nspawn, the agent installed in it and tried."""

import contextlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agent import __version__

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "system"
PACKAGES = (
    *("systemd-sysv", "dbus", "udev", "kmod", "procps", "python3", "python3-venv"),
    *("mosquitto", "mosquitto-clients"),
)
DISK_MEGABYTES = 96
TRIAL_SECONDS = 900
# Versions made for the trial: a newer one, and a newer one that cannot start.
NEWER, BROKEN = "99.0.0", "99.0.1"

TRIAL_UNIT = """
[Unit]
After=multi-user.target
[Service]
Type=oneshot
Environment=PYTHONPATH=/checkout:/opt/site-packages PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8
ExecStart=/usr/bin/python3 -m tests.machine.trial
StandardOutput=file:/results/trial.log
StandardError=inherit
ExecStopPost=/usr/bin/systemctl --no-block poweroff
[Install]
WantedBy=default.target
"""


def main() -> int:
    """Run the trial; 0 if all of it held. Needs root."""
    BUILD.mkdir(parents=True, exist_ok=True)
    _build_root()
    wheels = BUILD / "wheels"
    if not (wheels / "requirements.lock").exists():
        _run("make", "--no-print-directory", "-C", str(ROOT), "wheels", f"WHEELS={wheels}")
    for old in wheels.glob("campus_agent-*.whl"):
        old.unlink()
    for version in (__version__, NEWER, BROKEN):
        _build_wheel(version, wheels)
    with tempfile.TemporaryDirectory() as results, _disk() as disk:
        command = [
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--capability=all"),
            *("-D", str(BUILD / "root"), f"--bind={results}:/results"),
            *(f"--bind={disk}:/var/lib/campus-agent", f"--bind-ro={ROOT}:/checkout"),
            f"--bind={_ext4(disk)}:/ext4",
            f"--bind-ro={sysconfig.get_path('purelib')}:/opt/site-packages",
            *(f"--bind-ro={wheels}:/wheels", "--boot"),
        ]
        with (BUILD / "console.log").open("wb") as console:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                timeout=TRIAL_SECONDS,
                check=False,
            )
        said = (Path(results) / "trial.log").read_text(encoding="utf-8")
    sys.stdout.write(said)
    return 0 if said.endswith("all of it held\n") else 1


def _build_root() -> None:
    archive = BUILD / "root.tar"
    if not archive.exists():
        places = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
        mirrors = [str(place) for place in places if place.exists()]
        unfinished = BUILD / "unfinished.tar"
        include = f"--include={','.join(PACKAGES)}"
        _run("mmdebstrap", "--variant=minbase", include, "bookworm", str(unfinished), *mirrors)
        unfinished.rename(archive)
    root = BUILD / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    _run("tar", "-C", str(root), "-xf", str(archive))
    units = root / "etc/systemd/system"
    (units / "trial.service").write_text(TRIAL_UNIT, encoding="utf-8")
    wanted = units / "multi-user.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "trial.service").symlink_to("/etc/systemd/system/trial.service")
    # The trial starts brokers of its own.
    (wanted / "mosquitto.service").unlink(missing_ok=True)


def _build_wheel(version: str, wheels: Path) -> None:
    """Build our own wheel from a copy that calls itself `version`."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name)
        for file in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / file, source / file)
        for package in ("agent", "drivers"):
            shutil.copytree(ROOT / package, source / package)
        init = source / "agent/__init__.py"
        text = init.read_text(encoding="utf-8")
        init.write_text(text.replace(__version__, version), encoding="utf-8")
        if version == BROKEN:
            run = source / "agent/cli/run.py"
            code = run.read_text(encoding="utf-8")
            run.write_text(code + "\n\ndef main(argv):\n    return 1\n", encoding="utf-8")
        build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(source)]
        _run(sys.executable, *build)


@contextlib.contextmanager
def _disk() -> Iterator[Path]:
    """A small disk of its own for the state, so that it can be full, read-only, or hang."""
    with tempfile.TemporaryDirectory() as name:
        image, mounted = Path(name) / "disk.img", Path(name) / "disk"
        mounted.mkdir()
        _run("truncate", "-s", f"{DISK_MEGABYTES}M", str(image))
        _run("mke2fs", "-q", "-t", "ext4", str(image))
        _run("mount", "-o", "loop,errors=remount-ro", str(image), str(mounted))
        try:
            yield mounted
        finally:
            # Thawed first, or whoever waits for it can never end.
            subprocess.run(["fsfreeze", "-u", str(mounted)], capture_output=True, check=False)
            subprocess.run(["umount", "--lazy", str(mounted)], check=False)


def _ext4(mounted: Path) -> Path:
    """Return where the kernel lets an error of that file system be feigned."""
    command = ["findmnt", "-no", "SOURCE", str(mounted)]
    source = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return Path("/sys/fs/ext4") / Path(source).name


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=1200, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
