"""A guard's card and the key switch at a running agent: refused, obeyed, told, never repeated."""

import time
from collections.abc import Callable
from pathlib import Path

from agent.card_desk import SETTLE_SECONDS
from simulators.broker import Broker
from simulators.county import County, Heard
from simulators.modbus import ModbusSimulator
from simulators.pn532 import Pn532Simulator
from simulators.truth import Truth
from tests.daemon import Daemon, alarm_and_patrol
from tests.hearing import alarm, all_of, at_rest, button
from tests.system.test_incident import audited, campus
from tests.waiting import wait_until

CARD = bytes.fromhex("04E5F6A7B8C980")
KEY = 1
CONTACT = f"""[[alarm_module.contact]]
id = "key-switch"
name = "Key switch"
kind = "key"
input = {KEY}
normal = "open"
"""
GUARD = """[[guard_card]]
id = "w-12"
name = "Wang"
tag = "nfca:04E5F6A7B8C980"
[guard_at_reader]
reset = "key"
key_contact = "key-switch"
opens_tour = true
"""


def site(tmp_path: Path, port: int) -> str:
    settings = alarm_and_patrol(tmp_path, port)
    first = "[[alarm_module.button]]"
    assert first in settings
    return settings.replace(first, CONTACT + first) + GUARD


def state(kind: str, **data: object) -> Callable[[Heard], bool]:
    return lambda heard: (
        heard.kind == f"state/{kind}"
        and all(heard.body["data"][key] == value for key, value in data.items())
    )


def ready(county: County) -> None:
    """Wait until the reader has looked so long that a card must have come since."""
    wait_until(lambda: bool(county.heard("state/reader")), 30)
    county.wait_for(state("reader/reader", verdict="ok"), 30)
    time.sleep(SETTLE_SECONDS + 0.5)


def opened(county: County, module: ModbusSimulator, incident: int) -> None:
    module.press()
    county.wait_for(button(position="pressed", incident=incident))
    module.release()
    county.wait_for(button(position="rest", incident=incident))


def closed_ones(county: County) -> set[int]:
    return {heard.body["data"]["incident"] for heard in all_of(county, "closed")}


def test_a_card_closes_an_incident_with_the_key_alone(
    tmp_path: Path, broker: Broker, county: County, module: ModbusSimulator
) -> None:
    settings = site(tmp_path, broker.port)
    reader = Pn532Simulator(tmp_path / "reader", Truth())
    reader.start()
    # Other rules at first, and a reader that is made anew with them.
    before = settings.replace('reset = "key"', 'reset = "off"')
    before = before.replace('driver = "pn532"', 'driver = "pn532"\ngone_after_misses = 7')
    daemon = Daemon(tmp_path, before)
    daemon.start()
    try:
        at_rest(county)
        daemon.config.write_text(settings, encoding="utf-8")
        daemon.wait_until_ready()
        assert campus(tmp_path, "reload").returncode == 0
        ready(county)
        opened(county, module, incident=1)

        assert reader.tap_until_read(CARD)
        refused = county.wait_for(audited("refused", "card.key_off")).body["data"]
        assert (refused["verb"], refused["reader"], refused["cards"]) == (
            "reset",
            "reader",
            ["w-12"],
        )
        county.wait_for(lambda heard: bool(heard.body.get("data", {}).get("open_tour")))
        assert all_of(county, "closed") == []

        module.press(KEY)
        county.wait_for(state("contact/key-switch", position="active"))
        assert reader.tap_until_read(CARD)
        closed = county.wait_for(alarm("closed")).body["data"]
        assert (closed["incident"], closed["by"]) == (1, "card:w-12")
        accepted = county.wait_for(audited("accepted", "command.done")).body["data"]
        assert (accepted["cards"], accepted["button"]) == (["w-12"], "gate")
        county.wait_for(button(incident=None, position="rest"))

        opened(county, module, incident=2)
        daemon.kill()
        restarts = len(all_of(county, "started"))
        daemon.start()
        wait_until(lambda: len(all_of(county, "started")) > restarts, 30)
        daemon.wait_until_ready()
        time.sleep(SETTLE_SECONDS + 2)
        assert closed_ones(county) == {1}
        assert reader.tap_until_read(CARD)
        wait_until(lambda: closed_ones(county) == {1, 2})
    finally:
        if daemon.running:
            daemon.kill()
        reader.stop()
