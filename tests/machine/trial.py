"""Inside the container, as root: the agent installed as a technician would, and tried."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulators.county import Heard
from tests.machine.container import BROKEN, NEWER
from tests.machine.hands import (
    PROBE,
    fill,
    free_ports,
    hand_over,
    out,
    refused_to,
    say,
    show,
    status,
    wheel,
)
from tests.system.gatehouse import BROKER_PASSWORD, PASSWORD, Gatehouse
from tests.waiting import wait_until

INSTALL = "/checkout/systemd/install.sh"
HOME = Path("/opt/campus-agent")
SETTINGS = Path("/etc/campus-agent/site.toml")
STATE = Path("/var/lib/campus-agent")
RUNTIME = Path("/run/campus-agent")
DROP_IN = Path("/etc/systemd/system/campus-agent.service.d/trial.conf")
SCHOOL = Path("/srv/school")
# The unit's own figure would make every hung loop cost half a minute more.
WATCHDOG_SECONDS = 5
PYTEST = "/checkout/pyproject.toml"
# Root may open what is held exclusively, and read what others must not.
BY_NOBODY = (
    "/checkout/tests/unit/test_credentials.py",
    "/checkout/tests/unit/test_login_budget.py",
    "/checkout/tests/unit/test_control.py",
    "/checkout/tests/integration/test_modbus_line.py::test_nobody_else_can_open_the_line",
)
STILL_SECONDS = 25.0  # longer than a loop may be stuck, and the watchdog after it
# Major and minor: a USB serial adapter that is not plugged in, and the kernel's message buffer.
OURS, FOREIGN = (188, 9), (1, 11)


def main() -> int:
    """Try everything; says what held, and ends with `all of it held` only if all did."""
    trial = Trial()
    try:
        for step in (
            trial.what_root_may_do_is_tried_by_an_ordinary_user,
            trial.installs_and_waits_for_settings,
            trial.starts_ready_and_hears_a_press,
            # Before anything that leaves a login in doubt, which then waits ten minutes.
            trial.stays_up_when_a_camera_worker_hangs,
            trial.keeps_secrets_and_foreign_devices_out,
            trial.restarts_when_a_loop_hangs,
            trial.stays_up_when_the_disk_hangs_is_full_or_read_only,
            trial.takes_good_settings_and_refuses_bad_ones,
            trial.upgrades_falls_back_and_rolls_back,
            trial.starts_on_bad_settings,
            trial.stops_in_time,
            trial.stays_up_when_the_disk_turns_read_only,
            trial.is_removed,
        ):
            began = time.monotonic()
            step()
            say(f"{step.__name__.replace('_', ' ')}: held, {time.monotonic() - began:.1f} s")
    except BaseException as error:
        say(f"NOT: {type(error).__name__}: {error}")
        say(out("journalctl", "-u", "campus-agent", "--no-pager", "-n", "60", "-o", "cat"))
        raise
    finally:
        trial.school.stop()
    say("all of it held")
    return 0


class Trial:
    """A simulated school around the installed service."""

    def __init__(self) -> None:
        SCHOOL.mkdir(parents=True)
        SCHOOL.chmod(0o755)
        self.school = Gatehouse(SCHOOL)
        self.school.start(change=_as_installed)
        self.school.daemon.log.touch()  # ours is in the journal

    # -- the steps, in order

    def what_root_may_do_is_tried_by_an_ordinary_user(self) -> None:
        command = ["runuser", "-u", "nobody", "--", "env", "HOME=/tmp", "python3", "-m", "pytest"]
        command += ["-q", "-p", "no:cacheprovider", "--rootdir=/checkout", "-c", PYTEST]
        said = out(*command, *BY_NOBODY)
        assert re.search(r"\b\d\d+ passed", said), said
        assert "skipped" not in said, said

    def installs_and_waits_for_settings(self) -> None:
        said = out(INSTALL, "--wheels", "/wheels", "--wheel", wheel("0.1.0"))
        assert "site.toml" in said, said
        assert show("ActiveState") == "inactive"
        assert out("/usr/local/bin/campus-agent", "--version") == "campus-agent 0.1.0\n"
        where = (HOME / "current").readlink()
        out(INSTALL, "--wheels", "/wheels", "--wheel", wheel("0.1.0"))
        assert (HOME / "current").readlink() == where
        chinese = dict(os.environ, LANG="zh_CN.UTF-8")
        command = [INSTALL, "--wheels", "/wheels", "--wheel", wheel("0.1.0")]
        again = subprocess.run(command, env=chinese, capture_output=True, text=True, check=True)
        assert "已安装" in again.stdout

    def starts_ready_and_hears_a_press(self) -> None:
        for name, password in (("broker", BROKER_PASSWORD), ("nvr", PASSWORD)):
            file = SETTINGS.parent / "credentials" / name
            file.write_text(password + "\n", encoding="utf-8")
            file.chmod(0o600)
        shutil.copy(self.school.daemon.config, SETTINGS)
        SETTINGS.chmod(0o644)
        for name in ("ours", "foreign"):
            major, minor = OURS if name == "ours" else FOREIGN
            out("mknod", f"/dev/{name}", "c", str(major), str(minor))
            out("chgrp", "dialout", f"/dev/{name}")
            out("chmod", "660", f"/dev/{name}")
        self.use(watchdog=WATCHDOG_SECONDS)
        for line in SCHOOL.iterdir():
            if line.is_symlink():
                hand_over(line)
        ready = self.start()
        say(f"ready_seconds {ready:.2f}")
        assert show("ActiveState") == "active"
        wait_until(lambda: "county connected: yes" in show("StatusText"), 30)
        assert "1 buttons, 0 failing, 0 unknown" in show("StatusText")
        self.heard()
        self.school.expect("camera/nvr-1", "ok", seconds=60)
        assert "gate" in out("campus-agent", "status", "--lang", "en")

    def keeps_secrets_and_foreign_devices_out(self) -> None:
        credentials = Path("/run/credentials/campus-agent.service")
        assert len(list(credentials.iterdir())) == 2
        for secret in (credentials / "site_nvr", SETTINGS.parent / "credentials/nvr"):
            assert refused_to("nobody", "cat", str(secret)), secret
        assert refused_to("campus-agent", "cat", str(SETTINGS.parent / "credentials/nvr"))
        assert refused_to("nobody", "ls", str(STATE))
        # Both by the service's own hand, in its own sandbox.
        probe = RUNTIME / "probe"
        wait_until(probe.exists, 10)
        errors = dict(line.split() for line in probe.read_text().splitlines())
        assert errors["/dev/ours"] in ("ENXIO", "ENODEV"), errors
        assert errors["/dev/foreign"] == "EPERM", errors

    def restarts_when_a_loop_hangs(self) -> None:
        for what in ("alarm", "store", "publisher"):
            restarts = int(show("NRestarts"))
            began = time.monotonic()
            (RUNTIME / f"hang-{what}").touch()
            time.sleep(1)
            self.school.module.press()
            wait_until(lambda: int(show("NRestarts")) > restarts, 60)  # noqa: B023
            wait_until(lambda: show("ActiveState") == "active", 30)
            free_ports(SCHOOL.iterdir())
            say(f"hung_{what}_restarted_seconds {time.monotonic() - began:.1f}")
            pressed = len(self.school.truth.lines("press"))
            wait_until(lambda: presses(self.school) >= pressed, 30)  # noqa: B023
            self.school.module.release()
            self.know_again()
            self.heard()

    def stays_up_when_the_disk_hangs_is_full_or_read_only(self) -> None:
        with self.undisturbed():
            out("fsfreeze", "-f", str(STATE))
            try:
                self.heard()
                self.school.expect("agent/agent", "fail", "agent.disk_slow", 30)
                time.sleep(STILL_SECONDS)
                self.heard()
            finally:
                out("fsfreeze", "-u", str(STATE))
            self.school.expect("agent/agent", "warn", seconds=30)
        out("systemctl", "stop", "campus-agent")
        out("fsfreeze", "-f", str(STATE))
        try:
            with self.undisturbed(starting=True):
                self.heard()
                self.school.expect("agent/agent", "fail", "agent.disk_slow", 30)
        finally:
            out("fsfreeze", "-u", str(STATE))
        self.start()
        filler = STATE / "filler"
        fill(filler)
        with self.undisturbed():
            self.heard()
            self.school.expect("agent/agent", "fail", seconds=60)
        with self.undisturbed(starting=True):
            self.heard()
            self.school.expect("agent/agent", "fail", seconds=60)
        filler.unlink()
        out("systemctl", "stop", "campus-agent")
        out("mount", "-o", "remount,ro", str(STATE))
        with self.undisturbed(starting=True):
            self.heard()
            self.school.expect("agent/agent", "fail", "agent.store_in_memory", seconds=60)
        out("systemctl", "stop", "campus-agent")
        out("mount", "-o", "remount,rw", str(STATE))
        self.start()
        self.heard()

    def stays_up_when_the_disk_turns_read_only(self) -> None:
        """As ext4 does on an error of its medium; nothing can be written to it any more."""
        self.start()
        with self.undisturbed():
            Path("/ext4/trigger_fs_error").write_text("trial", encoding="utf-8")
            self.heard()
            self.school.expect("agent/agent", "fail", seconds=60)
        out("systemctl", "stop", "campus-agent")

    def stays_up_when_a_camera_worker_hangs(self) -> None:
        with self.undisturbed():
            workers = out("pgrep", "-f", "drivers.stream_worker").split()
            assert workers
            for worker in workers:
                out("kill", "-STOP", worker)
            gone = [Path(f"/proc/{worker}") for worker in workers]
            wait_until(lambda: not any(one.exists() for one in gone), 90)
            self.heard()
            self.school.expect("camera/nvr-1", "ok", seconds=60)

    def takes_good_settings_and_refuses_bad_ones(self) -> None:
        good = SETTINGS.read_text(encoding="utf-8")
        with self.undisturbed():
            SETTINGS.write_text(good.replace("Camera 1", "Back door"), encoding="utf-8")
            out("systemctl", "reload", "campus-agent")
            assert self.school.county.wait_for(
                lambda one: (
                    one.kind == "about" and one.body["objects"]["camera"]["nvr-1"] == "Back door"
                )
            )
            SETTINGS.write_text(good + "[broker\n", encoding="utf-8")
            assert status("systemctl", "reload", "campus-agent") != 0
            assert "site.toml:" in out("journalctl", "-u", "campus-agent", "-n", "20", "-o", "cat")
            self.heard()
        SETTINGS.write_text(good, encoding="utf-8")

    def upgrades_falls_back_and_rolls_back(self) -> None:
        before = self.heard()
        out(INSTALL, "--wheels", "/wheels", "--wheel", wheel(NEWER))
        self.know_again()
        assert self.school.newest("agent/agent")["version"] == NEWER
        after = self.heard()
        assert after.body["epoch"] == before.body["epoch"]
        assert after.body["seq"] > before.body["seq"]
        assert after.body["data"]["incident"] == before.body["data"]["incident"]
        failed = subprocess.run(
            [INSTALL, "--wheels", "/wheels", "--wheel", wheel(BROKEN)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert failed.returncode == 1
        assert NEWER in failed.stderr, failed.stderr
        self.know_again()
        assert self.school.newest("agent/agent")["version"] == NEWER
        out(INSTALL, "--rollback")
        self.know_again()
        assert self.school.newest("agent/agent")["version"] == "0.1.0"
        back = self.heard()
        assert back.body["epoch"] == before.body["epoch"]
        assert back.body["seq"] > after.body["seq"]

    def starts_on_bad_settings(self) -> None:
        good = SETTINGS.read_text(encoding="utf-8")
        SETTINGS.write_text(good[: len(good) // 2] + "\n[", encoding="utf-8")
        self.start()
        self.school.expect("agent/agent", "fail", "agent.last_good")
        self.heard()
        SETTINGS.write_text(good, encoding="utf-8")

    def stops_in_time(self) -> None:
        began = time.monotonic()
        out("systemctl", "stop", "campus-agent")
        seconds = time.monotonic() - began
        say(f"stop_seconds {seconds:.2f}")
        assert seconds < 5
        assert (show("Result"), show("ExecMainStatus")) == ("success", "0")

    def is_removed(self) -> None:
        out(INSTALL, "--uninstall")
        assert not HOME.exists()
        assert SETTINGS.exists()
        assert (STATE / "alarms.db").exists()
        assert status("systemctl", "cat", "campus-agent") != 0
        # The disk is a mount of the trial's own, which nobody can take away.
        out("umount", str(STATE))
        out(INSTALL, "--uninstall", "--purge")
        assert not SETTINGS.parent.exists()
        assert status("id", "campus-agent") != 0

    # -- what they share

    def use(self, *, watchdog: int) -> None:
        """Shorten the watchdog, make loops hang on demand, and have the sandbox tried."""
        packages = next(HOME.glob("0.1.0/lib/python3*/site-packages"))
        shutil.copy("/checkout/tests/machine/hang.py", packages)
        (packages / "hang.pth").write_text("import hang\n")
        probe = Path("/usr/local/bin/campus-probe")
        probe.write_text(PROBE, encoding="utf-8")
        probe.chmod(0o755)
        DROP_IN.parent.mkdir(parents=True, exist_ok=True)
        DROP_IN.write_text(
            f"[Service]\nWatchdogSec={watchdog}\nExecStartPost={probe}\nEnvironment=LANG=en_US.UTF-8\n"
        )
        out("systemctl", "daemon-reload")

    def start(self) -> float:
        """Start or restart; returns the seconds until READY."""
        began = time.monotonic()
        out("systemctl", "restart", "campus-agent")
        seconds = time.monotonic() - began
        self.know_again()
        return seconds

    def know_again(self) -> None:
        """Learn under which `boot` the daemon that now runs speaks."""
        before = self.school.boot
        wait_until(lambda: self.births()[-1:] not in ([], [before]), 30)
        self.school.boot = self.births()[-1]
        self.school.expect("button/gate", "warn", seconds=30)

    def births(self) -> list[str]:
        """The `boot` of every sign of life, oldest first."""
        signs = self.school.county.heard("status")
        return [one.body["boot"] for one in signs if one.body["online"]]

    def heard(self) -> Heard:
        """Press, and see it arrive from the daemon that runs now."""
        wait_until(lambda: self.school.newest("button/gate").get("position") == "rest", 30)
        return self.school.press()

    @contextmanager
    def undisturbed(self, *, starting: bool = False) -> Iterator[None]:
        """Nothing in here may restart the service, or keep it from starting."""
        if starting:
            self.start()
        restarts, pid = show("NRestarts"), show("MainPID")
        yield
        assert (show("NRestarts"), show("MainPID")) == (restarts, pid)
        assert show("ActiveState") == "active"


def _as_installed(settings: str) -> str:
    """Leave state, socket and secrets where the unit has them."""
    settings = settings.replace(f'[state]\ndirectory = "{SCHOOL}/state"\n', "")
    settings = settings.replace(f'[control]\nsocket = "{SCHOOL}/control.sock"\n', "")
    return re.sub(r'file = "\S*/(\w+)\.secret"', r'credential = "\1"', settings)


def presses(school: Gatehouse) -> int:
    return len({one.body["id"] for one in school.alarms("press")})


if __name__ == "__main__":
    sys.exit(main())
