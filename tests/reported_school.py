"""A school whose patrol has been told and recorded, and the command that reports it."""

import subprocess
import sys
from pathlib import Path

from agent.clock import SystemClock
from agent.county.messages import Composer
from agent.county.topics import Topics
from agent.liveness import Liveness
from agent.store import patrol_record
from agent.store.database import Database
from agent.store.formats import EVENT_FORMATS
from agent.store.outbox import Lane, Outbox
from tests.simulated_clock import SimulatedClock
from tests.unit.patrol_school import School

SETTINGS = """
[site]
county = "anping"
id = "no-1"
name = "Anping <No. 1> 小学"

[state]
directory = "{directory}"

[broker]
hosts = ["127.0.0.1:1"]

[[nfc_reader]]
id = "gate"
driver = "pn532"
port = "/dev/ttyUSB9"

[[checkpoint]]
id = "north"
name = "北墙<b>&"
tag = "nfca:AA"

[[checkpoint]]
id = "south"
name = "South wall"
tag = "nfca:BB"

[[checkpoint]]
id = "roof"
name = "=Roof"
tag = "nfca:CC"
mandatory = false

[patrol]
tours_min_per_day = 2

[not_fitted]
alarm = "x"
recordings = "x"
pictures = "x"
police_link = "x"
gate_manned = "x"
"""


def store(school: School, path: Path) -> None:
    """Store what the monitor told, as the agent does."""
    outbox = Outbox(
        Database(path, EVENT_FORMATS, Liveness(SystemClock()).beat("store")),
        "event",
        beside=patrol_record.add,
    )
    outbox.start()
    told = SimulatedClock()
    composer = Composer(Topics("anping", "no-1"), told, lambda: "ntp")
    for event in school.events:
        told.jump((event.time - told.now()).total_seconds())
        outbox.put([composer.event(event, Lane.EVENT, "event", outbox.number())]).result(5)
    outbox.stop()


def patrol(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent", "patrol", *words]
    return subprocess.run(
        [*command, "--config", str(directory / "site.toml")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
