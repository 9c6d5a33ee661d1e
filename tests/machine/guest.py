"""A small Debian machine with the agent in it, run by qemu without any privilege of the host."""

import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "machine"
PACKAGES = ("systemd-sysv", "udev", "kmod", "linux-image-amd64", "initramfs-tools", "python3")
DISK_MEGABYTES = 3500
BOOT_SECONDS = 240.0
# qemu's user network: this is the host's loopback, seen from the guest.
HOST = "10.0.2.2"

UNIT = """
[Unit]
Description=campus-agent in a machine of its own
Wants=systemd-networkd.service
[Service]
Type=notify
WorkingDirectory=/opt/campus-agent
Environment=PYTHONPATH=/opt/campus-agent:/opt/site-packages PYTHONDONTWRITEBYTECODE=1
ExecStart=/usr/bin/python3 -m agent run --config /etc/campus-agent.toml
WatchdogSec=60
Restart=always
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
[Install]
WantedBy=multi-user.target
"""
NETWORK = "[Match]\nName=en*\n[Network]\nDHCP=yes\n"


def build() -> None:
    """Make the guest's root once; what of it is ours is put in anew by `disk`."""
    if (BUILD / "root.tar").exists():
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    mirrors = [str(one) for one in sources if one.exists()]
    unfinished = BUILD / "unfinished.tar"
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm"]
    subprocess.run([*command, str(unfinished), *mirrors], check=True, timeout=1200)
    unfinished.rename(BUILD / "root.tar")


def disk(settings: str) -> Path:
    """Make a disk with the agent of this checkout and these settings; returns its image."""
    root = BUILD / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    _run("tar", "-C", str(root), "-xf", str(BUILD / "root.tar"))
    home = root / "opt/campus-agent"
    for package in ("agent", "drivers"):
        shutil.copytree(ROOT / package, home / package)
    site = Path(sysconfig.get_path("purelib"))
    shutil.copytree(site, root / "opt/site-packages", ignore=shutil.ignore_patterns("*.pyc"))
    (root / "etc/campus-agent.toml").write_text(settings, encoding="utf-8")
    units = root / "etc/systemd/system"
    (units / "campus-agent.service").write_text(UNIT, encoding="utf-8")
    (root / "etc/systemd/network/en.network").write_text(NETWORK, encoding="utf-8")
    wanted = units / "multi-user.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "campus-agent.service").symlink_to("/etc/systemd/system/campus-agent.service")
    (wanted / "systemd-networkd.service").symlink_to("/lib/systemd/system/systemd-networkd.service")
    (root / "etc/fstab").write_text("", encoding="utf-8")
    image = BUILD / "disk.img"
    image.unlink(missing_ok=True)
    _run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(image), f"{DISK_MEGABYTES}M")
    for name in ("vmlinuz", "initrd.img"):
        found = max((root / "boot").glob(f"{name}-*"))
        shutil.copy(found, BUILD / name)
    shutil.rmtree(root)
    return image


class Machine:
    """One run of it; `log` is what the agent said, `console` what the kernel did."""

    def __init__(self, directory: Path, image: Path, devices: Sequence[str]) -> None:
        self.log = directory / "agent.log"
        self.console = directory / "console.log"
        self._monitor_path = directory / "monitor"
        command = [
            *("qemu-system-x86_64", "-accel", "tcg", "-m", "1024", "-smp", "2"),
            *("-nographic", "-nodefaults"),
            *("-kernel", str(BUILD / "vmlinuz"), "-initrd", str(BUILD / "initrd.img")),
            *("-append", "root=/dev/vda rw console=ttyS0 quiet"),
            *("-drive", f"file={image},format=raw,if=virtio", "-nic", "user,model=virtio-net-pci"),
            *("-device", "qemu-xhci", "-serial", f"file:{self.console}"),
            *("-serial", f"file:{self.log}"),
            *("-monitor", f"unix:{self._monitor_path},server=on,wait=off"),
            *devices,
        ]
        self._process = subprocess.Popen(command)
        self._monitor: socket.socket | None = None

    def wait_ready(self) -> float:
        """Wait until the agent has started; returns the seconds since power on."""
        began = time.monotonic()
        while "agent started" not in self.said():
            if self._process.poll() is not None:
                raise RuntimeError("qemu ended")
            if time.monotonic() - began > BOOT_SECONDS:
                raise TimeoutError(f"the agent did not start; console: {self.console_tail()}")
            time.sleep(0.2)
        return time.monotonic() - began

    def do(self, command: str) -> None:
        """Give a command to qemu's monitor."""
        if self._monitor is None:
            self._monitor = socket.socket(socket.AF_UNIX)
            self._monitor.settimeout(5)
            self._monitor.connect(str(self._monitor_path))
            self._monitor.recv(4096)
        self._monitor.sendall(command.encode() + b"\n")
        answer = b""
        while not answer.rstrip().endswith(b"(qemu)"):
            answer += self._monitor.recv(4096)
        if b"Error" in answer:
            raise RuntimeError(f"{command}: {answer.decode(errors='replace')}")

    def stop(self) -> None:
        """Pull its mains plug."""
        self._process.kill()
        self._process.wait(10)

    def said(self) -> str:
        """Return what the agent has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def console_tail(self) -> str:
        """Return the end of what the machine's console showed."""
        return self.console.read_text(encoding="utf-8", errors="replace")[-2000:]


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=600)
