"""Tags that prove themselves at a running agent, and a copy of one behind a restart."""

from pathlib import Path

import pytest

from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.ntag424 import Ntag424
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth
from tests.daemon import Daemon, alarm_and_patrol
from tests.waiting import wait_until

UID = bytes.fromhex("04A1B2C3D4E580")
META, MASTER = bytes(range(16)), bytes(range(16, 32))


def asking_for_proof(settings: str, keys: Path) -> str:
    for section, line in (
        ("[[nfc_reader]]", f'sun_keys = {{ file = "{keys}" }}'),
        ("[[checkpoint]]", 'require = "sun"'),
    ):
        assert section in settings
        settings = settings.replace(section, f"{section}\n{line}")
    return settings


def shown(county: County) -> list[tuple[str, str | None, str | None]]:
    # By its id: what a killed agent did not know to be confirmed comes again.
    scans = {one.body["id"]: one.body["data"] for one in county.heard("event/scan")}
    return [(one["assurance"], one["checkpoint"], one["refused"]) for one in scans.values()]


def well(heard: Heard) -> bool:
    return heard.kind == "state/reader/reader" and heard.body["data"]["verdict"] == "ok"


@pytest.mark.usefixtures("module")
def test_a_copy_is_refused_behind_a_restart_and_bad_keys_cost_the_reader_alone(
    tmp_path: Path, broker: Broker, county: County
) -> None:
    keys = tmp_path / "sun-keys"
    keys.write_text(f"{META.hex()}\n{MASTER.hex()}\n", encoding="ascii")
    keys.chmod(0o600)
    reader = Pn532Simulator(tmp_path / "reader", Truth())
    reader.start()
    tag = Ntag424(UID, META, MASTER)

    def tap(seen: list[tuple[str, str | None, str | None]]) -> None:
        reader.present(UID, chip=tag)
        wait_until(lambda: shown(county) == seen, 15)
        reader.remove()

    daemon = Daemon(tmp_path, asking_for_proof(alarm_and_patrol(tmp_path, broker.port), keys))
    daemon.start()
    try:
        county.wait_for(well, 30)
        genuine = ("sun", "wall", None)
        tap([genuine])
        daemon.kill()
        tag.replay = True
        daemon.start()
        replayed = ("sun", "wall", "replayed")
        tap([genuine, replayed])
        assert MASTER.hex() not in daemon.said()
        daemon.stop()
        keys.write_text("no keys\n", encoding="ascii")
        daemon.start()
        county.wait_for(
            lambda heard: (
                heard.kind == "state/reader/reader" and heard.body["data"]["verdict"] == "unknown"
            ),
            30,
        )
        wait_until(
            lambda: "reader: " in str(county.heard("state/agent")[-1].body["data"]["causes"])
        )
    finally:
        if daemon.running:
            daemon.kill()
        reader.stop()
