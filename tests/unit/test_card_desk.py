"""Cards at a reader behind the real alarm lane: incidents closed, tests begun, all on record."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from agent import card_desk
from agent.card_desk import SETTLE_SECONDS, CardDesk
from agent.county.event_data import AuditEventData
from agent.guard_post import signs_of
from agent.liveness import Liveness
from agent.loop import Loop
from agent.settings import SiteSettings
from agent.site_file import read_site
from drivers.readings import (
    ContactsReading,
    Outage,
    ReaderReading,
    Reading,
    Reason,
    ScanReading,
)
from tests.simulated_clock import SimulatedClock
from tests.unit.test_alarm_lane import CLOCK, Desk
from tests.waiting import wait_until

WANG, LI, STRANGER = "nfca:01", "nfca:02", "nfca:99"
SITE = """
[site]
county = "county"
id = "school"
name = "School"
[broker]
hosts = ["127.0.0.1"]
[[alarm_module]]
id = "io"
driver = "modbus"
port = "/dev/alarm"
outputs = 1
[[alarm_module.button]]
id = "gate"
name = "Gate"
input = 0
wiring = "no"
[[alarm_module.button]]
id = "hall"
name = "Hall"
input = 1
wiring = "no"
[[alarm_module.contact]]
id = "key"
name = "Key switch"
kind = "key"
input = 2
normal = "open"
delay_seconds = 0
[[alarm_module.output]]
id = "lamp"
name = "Lamp"
output = 0
shows = "alarm"
[[nfc_reader]]
id = "reader"
driver = "pn532"
port = "/dev/reader"
sun_keys = { credential = "sun-keys" }
[[checkpoint]]
id = "wall"
name = "Wall"
tag = "nfca:AA"
[[guard_card]]
id = "w-1"
name = "Wang"
tag = "nfca:01"
[[guard_card]]
id = "w-2"
name = "Li"
tag = "nfca:02"
[guard_at_reader]
key_contact = "key"
test_minutes = 5
"""
REST = """
[not_fitted]
recordings = "none"
pictures = "none"
"""
WITH_KEY = 'reset = "key"\ntest_window = "key"\n'
TWO_CARDS = 'reset = "two_cards"\ntest_window = "two_cards"\n'


def school(rules: str) -> SiteSettings:
    loaded = read_site((SITE + rules + REST).encode())
    assert loaded.site is not None, loaded.problems
    return loaded.site


class Post:
    """An alarm desk whose module has two buttons, a key switch and a lamp, and a card desk."""

    def __init__(self, directory: Path) -> None:
        self.desk = Desk(directory)
        self.loop = Loop(
            "alarm",
            self.desk.lane.handle,
            self.desk.lane.tick,
            CLOCK,
            Liveness(CLOCK).beat("alarm"),
            tick_seconds=0.05,
        )
        self.cards: CardDesk
        self.set(WITH_KEY)

    def set(self, rules: str) -> None:
        site = school(rules)
        outputs = {"io": self.desk.lamps}
        self.desk.lane.change(site.alarm_equipment, {}, outputs, signs_of(site))
        self.cards = CardDesk(site, self.desk.lane, self.loop, self.desk.others.append, CLOCK)

    def inputs(self, *, gate: bool = False, hall: bool = False, key: bool = False) -> None:
        self.desk.lane.handle(
            ContactsReading(
                device_id="io",
                observed_at=CLOCK.now(),
                inputs=(gate, hall, key, *[False] * 5),
                reply_seconds=0.02,
            )
        )

    def pressed(self, *buttons: str, key: bool = False) -> None:
        """Press and let go; nobody waits for the debounce of a release here."""
        self.inputs(**dict.fromkeys(buttons, True))
        for button in buttons:
            self.desk.monitor.memory.buttons[button].active = False
        self.inputs(key=key)

    def hold(self, tag: str, assurance: Literal["uid", "sun"] = "uid") -> AuditEventData | None:
        before = len(self.audits())
        self.cards.read(scan(tag, assurance))
        found = self.audits()[before:]
        return found[-1] if found else None

    def audits(self) -> list[AuditEventData]:
        return [one.data for one in self.desk.others if isinstance(one.data, AuditEventData)]

    def told(self, what: str) -> list[dict[str, Any]]:
        bodies = [json.loads(row.body)["data"] for row in self.desk.counter.rows]
        return [body for body in bodies if body["what"] == what]

    @property
    def open(self) -> list[str]:
        return list(self.desk.lane.open_incidents)


def scan(tag: str, assurance: Literal["uid", "sun"] = "uid") -> ScanReading:
    return ScanReading(device_id="reader", observed_at=CLOCK.now(), tag_id=tag, assurance=assurance)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    post = Post(tmp_path)
    yield post
    post.desk.store.outbox.stop()


def test_a_card_with_the_key_on_closes_the_incident_in_the_guards_name(post: Post) -> None:
    post.pressed("gate", key=True)
    assert post.hold(WANG) == AuditEventData(
        what="accepted",
        verb="reset",
        code="command.done",
        reader="reader",
        cards=("w-1",),
        button="gate",
    )
    (closed,) = post.told("closed")
    assert (closed["button"], closed["incident"], closed["by"]) == ("gate", 1, "card:w-1")
    assert post.open == []


def test_with_the_key_off_it_is_refused_and_on_record_and_stays_open(post: Post) -> None:
    post.pressed("gate")
    assert post.hold(WANG) == AuditEventData(
        what="refused", verb="reset", code="card.key_off", reader="reader", cards=("w-1",)
    )
    assert post.open == ["gate"]


def test_a_key_nobody_has_read_is_not_on(post: Post) -> None:
    post.pressed("gate", key=True)
    for _ in range(20):
        post.desk.lane.handle(
            Outage(device_id="io", observed_at=CLOCK.now(), reason=Reason.TIMEOUT)
        )
    audit = post.hold(WANG)
    assert audit is not None
    assert (audit.code, post.open) == ("card.key_unknown", ["gate"])


def test_a_file_that_had_to_do_without_its_key_lets_no_card_do_anything(post: Post) -> None:
    text = (SITE + WITH_KEY + REST).replace('normal = "open"', 'normal = "closed"')
    assert read_site(text.encode()).site is None
    spoilt = read_site(text.encode(), lenient=True).site
    assert spoilt is not None
    assert (spoilt.guard_at_reader.reset, spoilt.guard_at_reader.key_contact) == ("key", None)
    post.pressed("gate", key=True)
    post.cards = CardDesk(spoilt, post.desk.lane, post.loop, post.desk.others.append, CLOCK)
    audit = post.hold(WANG)
    assert audit is not None
    assert (audit.code, post.open) == ("card.key_unknown", ["gate"])


def test_a_button_still_pressed_is_refused_and_may_be_tried_again(post: Post) -> None:
    post.inputs(gate=True, key=True)
    audit = post.hold(WANG)
    assert audit is not None
    assert (audit.what, audit.code, audit.button) == ("refused", "alarm.still_pressed", "gate")
    post.desk.monitor.memory.buttons["gate"].active = False
    assert post.hold(WANG) is not None
    assert post.open == []


def test_all_incidents_that_can_be_are_closed_and_each_is_on_record(post: Post) -> None:
    post.pressed("gate", "hall", key=True)
    assert post.hold(WANG) is not None
    assert [(one.what, one.button) for one in post.audits()] == [
        ("accepted", "gate"),
        ("accepted", "hall"),
    ]
    assert post.open == []


def test_of_two_incidents_the_one_that_cannot_be_closed_stays_open(post: Post) -> None:
    post.pressed("gate", "hall", key=True)
    post.desk.monitor.memory.buttons["gate"].active = True
    post.hold(WANG)
    assert [(one.what, one.button) for one in post.audits()] == [
        ("refused", "gate"),
        ("accepted", "hall"),
    ]
    assert post.open == ["gate"]
    post.desk.monitor.memory.buttons["gate"].active = False
    post.hold(WANG)
    assert post.open == []


def test_without_an_incident_all_buttons_are_tested_by_the_guard(post: Post) -> None:
    post.inputs(key=True)
    audit = post.hold(WANG)
    assert audit is not None
    assert (audit.what, audit.verb, audit.code) == ("accepted", "test", "command.done")
    (begun,) = post.told("test_started")
    assert (begun["by"], begun["buttons"]) == ("card:w-1", ["gate", "hall"])
    window = post.desk.monitor.memory.window
    assert window is not None
    assert (window.ends_at - window.started_at).total_seconds() == 300
    again = post.hold(LI)
    assert again is not None
    assert (again.what, again.code) == ("refused", "alarm.test_already")


def test_two_cards_close_it_and_one_must_be_no_copy(post: Post) -> None:
    post.set(TWO_CARDS)
    post.pressed("gate")
    assert post.hold(WANG) is None
    refused = post.hold(LI)
    assert refused is not None
    assert (refused.code, refused.cards, post.open) == ("card.copyable", ("w-1", "w-2"), ["gate"])
    accepted = post.hold(WANG, "sun")
    assert accepted is not None
    assert (accepted.what, accepted.cards) == ("accepted", ("w-2", "w-1"))
    assert post.told("closed")[0]["by"] == "card:w-2+w-1"


def test_no_card_gives_the_reason_that_a_line_not_known_to_be_at_rest_needs(post: Post) -> None:
    post.set(TWO_CARDS)
    post.pressed("gate")
    for _ in range(20):
        post.desk.lane.handle(
            Outage(device_id="io", observed_at=CLOCK.now(), reason=Reason.TIMEOUT)
        )
    post.hold(WANG, "sun")
    audit = post.hold(LI)
    assert audit is not None
    assert (audit.code, post.open) == ("alarm.reason_needed", ["gate"])


def test_a_stranger_with_the_key_on_is_refused_and_on_record(post: Post) -> None:
    post.pressed("gate", key=True)
    audit = post.hold(STRANGER, "sun")
    assert audit is not None
    assert (audit.code, audit.cards, post.open) == ("card.unknown", (), ["gate"])


def test_the_same_card_again_does_it_once(post: Post) -> None:
    post.pressed("gate", key=True)
    post.hold(WANG)
    assert post.hold(WANG) is None
    assert len(post.told("closed")) == 1
    assert post.told("test_started") == []


def test_the_lamp_says_what_came_of_it(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.pressed("gate", key=True)
    post.hold(WANG)
    # Lit without an alarm to show: accepted. Its pattern for a refusal is the guard's own test.
    assert (post.open, post.desk.lamps.on[0]) == ([], True)
    answers: list[bool] = []
    monkeypatch.setattr(post.desk.post, "answer", lambda _, *, accepted: answers.append(accepted))
    post.hold(STRANGER)
    assert answers == [False]


# ---- from the reader's thread to the alarm loop


def test_a_watch_loop_that_hangs_keeps_neither_the_card_nor_the_alarm_waiting(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_desk, "SETTLE_SECONDS", 0)
    hung, hanging = threading.Event(), threading.Event()

    def hang(_: Reading) -> None:
        hanging.set()
        hung.wait(20)

    beat = Liveness(CLOCK).beat("watch")
    watch = Loop("watch", hang, lambda: None, CLOCK, beat, tick_seconds=1)
    watch.start()
    post.pressed("gate", key=True)
    post.loop.start()
    passed = post.cards.passing(watch.post)
    passed(ReaderReading(device_id="reader", observed_at=CLOCK.now(), firmware="1.6"))
    assert hanging.wait(5)
    passed(scan(WANG))
    wait_until(lambda: bool(post.audits()), 5)
    assert post.open == []
    hung.set()
    post.loop.stop()
    watch.stop()


def test_a_fault_of_ours_costs_one_scan_and_is_logged(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(card_desk.log, "error", lambda text, **_: logged.append(text))
    monkeypatch.setattr(post.cards, "read", lambda *_, **__: 1 / 0)
    post.loop.start()
    post.cards.passing(lambda _: None)(scan(WANG))
    wait_until(lambda: logged == ["card not judged"], 5)
    assert post.loop.ask(lambda: "alive").result(5) == "alive"
    post.loop.stop()


def test_what_lay_on_the_reader_when_it_began_to_look_resets_nothing(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimulatedClock()
    shown: list[bool] = []
    cards = CardDesk(school(WITH_KEY), post.desk.lane, post.loop, post.desk.others.append, clock)
    monkeypatch.setattr(cards, "_show", lambda _, *, lay_there: shown.append(lay_there))
    passed_on: list[Reading] = []
    passed = cards.passing(passed_on.append)
    heard = ReaderReading(device_id="reader", observed_at=clock.now(), firmware="1.6")
    lost = Outage(device_id="reader", observed_at=clock.now(), reason=Reason.PORT_LOST)
    readings: list[tuple[Reading, float]] = [
        (scan(WANG), 0),
        (heard, 0),
        (scan(WANG), SETTLE_SECONDS),
        (heard, 0),
        (scan(WANG), 0),
        (lost, 60),
        (heard, 1),
        (scan(WANG), SETTLE_SECONDS),
        (scan(WANG), 0),
    ]
    for reading, seconds in readings:
        passed(reading)
        clock.sleep(seconds)
    assert shown == [True, True, False, True, False]
    assert passed_on == [reading for reading, _ in readings]


def test_new_settings_are_gone_by_and_what_was_done_stays_done(post: Post) -> None:
    post.loop.start()
    post.pressed("gate", key=True)
    post.hold(WANG)
    post.cards.change(school(TWO_CARDS))
    post.loop.ask(lambda: None).result(5)
    assert post.cards._rules.policy.reset == "two_cards"
    assert post.hold(LI) is None
    assert post.hold(WANG, "sun") is None
    post.loop.stop()
