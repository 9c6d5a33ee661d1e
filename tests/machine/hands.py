"""What the trial does to the machine it runs on."""

import fcntl
import grp
import os
import subprocess
import sys
import termios
from collections.abc import Iterable
from pathlib import Path

PROBE = """#!/usr/bin/python3
import errno, os
with open("/run/campus-agent/probe", "w") as found:
    for path in ("/dev/ours", "/dev/foreign"):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
            word = "opened"
        except OSError as error:
            word = errno.errorcode[error.errno]
        print(path, word, file=found)
"""


def wheel(version: str) -> str:
    (found,) = Path("/wheels").glob(f"campus_agent-{version}-*.whl")
    return str(found)


def hand_over(line: Path) -> None:
    """Let the service's group open a simulated port, as udev does with a real one."""
    device = line.resolve()
    os.chown(device, 0, grp.getgrnam("dialout").gr_gid)
    device.chmod(0o660)


def free_ports(lines: Iterable[Path]) -> None:
    """Take TIOCEXCL off, as a real port does when whoever opened it has died.

    A pseudo-terminal keeps it for as long as its simulator lives.
    """
    for line in lines:
        if line.is_symlink():
            port = os.open(line, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            fcntl.ioctl(port, termios.TIOCNXCL)
            os.close(port)


def fill(file: Path) -> None:
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={file}", "bs=64k"], stderr=subprocess.DEVNULL, check=False
    )


def show(what: str) -> str:
    return out("systemctl", "show", "campus-agent", "-P", what).strip()


def out(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def status(*command: str) -> int:
    return subprocess.run(command, capture_output=True, timeout=180, check=False).returncode


def refused_to(user: str, *command: str) -> bool:
    return status("runuser", "-u", user, "--", *command) != 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
