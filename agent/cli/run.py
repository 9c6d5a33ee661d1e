"""`campus-agent run`: the daemon's main thread. It starts the agent and feeds the watchdog."""

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from agent.app import App
from agent.clock import SystemClock
from agent.control.protocol import CommandError, socket_path
from agent.credentials import Credentials
from agent.liveness import notify
from agent.logs import configure
from agent.settings_source import SettingsSource, state_directory
from agent.text import Language, language, printable, sentence

EXIT_NO_ALARM = 78  # sysexits.h EX_CONFIG; the unit does not restart on it
WATCH_SECONDS = 1.0
SLOW_IO_SECONDS = 10.0
# What hangs then is left behind: a disk, a device, a thread of a pool. All that matters is on disk.
STOP_SECONDS = 4.5
SWITCH_SECONDS = 0.0005

log = structlog.get_logger()


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; 78 when the settings hold no readable alarm section."""
    parser = argparse.ArgumentParser(prog="campus-agent run")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--lang", default=None)
    options = parser.parse_args(argv)
    lang = language(os.environ, options.lang)

    source = SettingsSource(options.config, state_directory(os.environ), lang)
    loaded = source.at_start()
    for problem in loaded.problems:
        print(printable(problem), file=sys.stderr)
    if loaded.last_good is not None:
        said = sentence(lang, "agent.last_good", detail=str(loaded.last_good))
        print(printable(said), file=sys.stderr)
    if loaded.site is None:
        print(sentence(lang, "cli.cannot_start", file=str(options.config)), file=sys.stderr)
        return EXIT_NO_ALARM

    # A press must not wait for another thread's turn; the default is ten times as long.
    sys.setswitchinterval(SWITCH_SECONDS)
    clock = SystemClock()
    credentials = Credentials.from_environ(os.environ)
    configure(sys.stdout, os.environ, clock, credentials.redactor)
    stopping, asked_to_reload = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    signal.signal(signal.SIGHUP, lambda *_: asked_to_reload.set())

    ended = threading.Event()
    threading.Thread(target=_end_in_time, args=(stopping, ended), daemon=True).start()
    control_path = socket_path(os.environ, loaded.site.control.socket)
    app = App(
        loaded.site,
        source,
        loaded,
        credentials,
        clock,
        control_path=control_path,
    )
    app.start()
    notify("READY=1")
    log.info("agent started", component="run")
    threading.Thread(target=_reload, args=(app, asked_to_reload), daemon=True).start()
    _supervise(app, stopping, lang)
    notify("STOPPING=1")
    app.stop()
    log.info("agent stopped", component="run")
    ended.set()
    return 0


def _end_in_time(stopping: threading.Event, ended: threading.Event) -> None:
    """Whatever the start or the stop hangs in: the process ends within five seconds of SIGTERM."""
    stopping.wait()
    time.sleep(STOP_SECONDS)
    if not ended.is_set():
        log.error("not stopped in time; ended all the same", component="run")
    sys.stdout.flush()
    os._exit(0 if ended.is_set() else 1)


def _reload(app: App, asked: threading.Event) -> None:
    """Read the settings again whenever SIGHUP asks for it; the outcome is told as an event."""
    while asked.wait():
        asked.clear()
        with contextlib.suppress(CommandError):
            app.reload()


def _supervise(app: App, stopping: threading.Event, lang: Language) -> None:
    """Feed the watchdog while all our loops move; name what does not before it bites."""
    named: set[str] = set()
    shown = ""
    while not stopping.wait(WATCH_SECONDS):
        status = sentence(lang, "run.status", **app.in_short())
        if status != shown:
            notify(f"STATUS={status}")
            shown = status
        stuck = app.liveness.stuck()
        if not stuck:
            notify("WATCHDOG=1")
        for name in set(stuck) - named:
            log.error("loop stuck; the watchdog is no longer fed", component=name)
        for name in set(app.liveness.slow_io(SLOW_IO_SECONDS)) - named:
            log.error("waiting for I/O", component=name)
        named = {*stuck, *app.liveness.slow_io(SLOW_IO_SECONDS)}
