"""What cards at a reader ask for, and why they are refused, by a clock of the test's own."""

from typing import Literal

import pytest

from agent.monitors import Instant
from agent.monitors.card_rules import Asked, CardRules, KeySwitch
from agent.policy_patrol import GuardAtReader, Way
from drivers.nfc.sun import Refusal
from drivers.readings import ScanReading
from tests.simulated_clock import SimulatedClock

WANG, LI, ZHAO = "nfca:01", "nfca:02", "nfca:03"
GUARDS = {WANG: "w-1", LI: "w-2", ZHAO: "w-3"}
STRANGER, WALL = "nfca:99", "nfca:AA"
FOLD = 60.0


class Reader:
    """A reader whose scans are judged as they come; an incident is open until told otherwise."""

    def __init__(
        self, reset: Way = "off", test_window: Way = "off", key: KeySwitch = "off"
    ) -> None:
        self.clock = SimulatedClock()
        policy = GuardAtReader(reset=reset, test_window=test_window, key_contact="key")
        self.rules = CardRules(policy, GUARDS, {WALL}, FOLD)
        self.key = key
        self.incident_open = True

    @property
    def now(self) -> Instant:
        return Instant(self.clock.now(), self.clock.monotonic())

    def hold(
        self,
        tag: str,
        assurance: Literal["uid", "sun"] = "uid",
        *,
        refused: Refusal | None = None,
        reader: str = "gate",
        waited: float = 0,
        lay_there: bool = False,
    ) -> Asked | None:
        """Hold a tag to the reader; its scan is `waited` for before it is judged."""
        scan = ScanReading(
            device_id=reader,
            observed_at=self.clock.now(),
            tag_id=tag,
            assurance=assurance,
            refused=refused,
        )
        self.clock.sleep(waited)
        return self.rules.read(
            scan, self.now, incident_open=self.incident_open, key=self.key, lay_there=lay_there
        )


def test_nothing_is_asked_for_where_nothing_is_set() -> None:
    reader = Reader(key="on")
    assert reader.hold(WANG) is None
    assert reader.hold(LI, "sun") is None


@pytest.mark.parametrize(
    ("key", "refusal"), [("on", ""), ("off", "card.key_off"), ("unknown", "card.key_unknown")]
)
def test_a_card_resets_while_the_key_is_on(key: KeySwitch, refusal: str) -> None:
    assert Reader(reset="key", key=key).hold(WANG) == Asked("reset", ("w-1",), refusal)


@pytest.mark.parametrize("key", ["off", "unknown"])
@pytest.mark.parametrize("test_window", ["off", "key"])
def test_a_card_of_a_guard_who_sets_out_asks_for_nothing(key: KeySwitch, test_window: Way) -> None:
    reader = Reader(reset="key", test_window=test_window, key=key)
    reader.incident_open = False
    assert reader.hold(WANG) is None


def test_the_key_with_nothing_to_reset_is_refused() -> None:
    reader = Reader(reset="key", key="on")
    reader.incident_open = False
    assert reader.hold(WANG) == Asked("reset", ("w-1",), "card.no_incident")


@pytest.mark.parametrize(("way", "tags"), [("key", [WANG]), ("two_cards", [LI, WANG])])
def test_an_open_incident_is_reset_and_without_one_a_test_begins(way: Way, tags: list[str]) -> None:
    for incident_open, verb in ((True, "reset"), (False, "test")):
        reader = Reader(reset=way, test_window=way, key="on")
        reader.incident_open = incident_open
        asked = [reader.hold(tag, "sun") for tag in tags][-1]
        assert asked is not None
        assert (asked.verb, asked.refusal) == (verb, "")


def test_each_may_be_asked_for_in_its_own_way() -> None:
    reader = Reader(reset="two_cards", test_window="key", key="on")
    assert reader.hold(WANG) is None
    reader.incident_open = False
    assert reader.hold(WANG) == Asked("test", ("w-1",))


def test_two_plain_cards_could_be_copies_and_are_never_enough() -> None:
    reader = Reader(reset="two_cards", key="on")
    assert reader.hold(WANG) is None
    assert reader.hold(LI) == Asked("reset", ("w-1", "w-2"), "card.copyable")
    assert reader.hold(ZHAO) == Asked("reset", ("w-2", "w-3"), "card.copyable")


@pytest.mark.parametrize("proven", [(WANG,), (LI,), (WANG, LI)])
def test_two_cards_of_which_one_proves_that_it_is_no_copy_reset(proven: tuple[str, ...]) -> None:
    reader = Reader(reset="two_cards")
    assert reader.hold(WANG, "sun" if WANG in proven else "uid") is None
    reader.clock.sleep(10)
    assert reader.hold(LI, "sun" if LI in proven else "uid") == Asked("reset", ("w-1", "w-2"))


def test_two_cards_are_of_two_guards_at_one_reader_in_time() -> None:
    reader = Reader(reset="two_cards")
    reader.hold(WANG, "sun")
    assert reader.hold(WANG, "sun") is None
    assert reader.hold(LI, "sun", reader="back door") is None
    reader.clock.sleep(10.1)
    assert reader.hold(LI, "sun") is None
    assert reader.hold(WANG) == Asked("reset", ("w-2", "w-1"))


def test_two_scans_that_had_to_wait_together_were_not_read_together() -> None:
    reader = Reader(reset="two_cards")
    early = ScanReading(
        device_id="gate", observed_at=reader.clock.now(), tag_id=WANG, assurance="sun"
    )
    reader.clock.sleep(11)
    reader.rules.read(early, reader.now, incident_open=True, key="off")
    assert reader.hold(LI, "sun") is None


def test_a_clock_that_is_set_back_brings_no_two_cards_together() -> None:
    reader = Reader(reset="two_cards")
    reader.hold(WANG, "sun")
    reader.clock.sleep(20)
    reader.clock.jump(-15)
    assert reader.hold(LI, "sun") is None


def test_an_unknown_tag_never_does_anything() -> None:
    reader = Reader(reset="key", key="on")
    assert reader.hold(STRANGER, "sun") == Asked("reset", (), "card.unknown")
    reader.key = "off"
    assert reader.hold(STRANGER, "sun") is None
    pair = Reader(reset="two_cards", key="on")
    assert pair.hold(STRANGER, "sun") is None
    assert pair.hold(WANG) is None
    assert pair.hold(STRANGER, "sun") == Asked("reset", (), "card.unknown")
    assert pair.hold(LI, "sun") == Asked("reset", ("w-1", "w-2"))


def test_the_tag_of_a_place_is_no_card() -> None:
    assert Reader(reset="key", key="on").hold(WALL) is None


@pytest.mark.parametrize("refused", ["bad_mac", "replayed"])
def test_a_card_whose_proof_is_bad_does_nothing(refused: Refusal) -> None:
    reader = Reader(reset="key", key="on")
    assert reader.hold(WANG, "sun", refused=refused) == Asked("reset", ("w-1",), "card.bad_proof")
    pair = Reader(reset="two_cards")
    assert pair.hold(WANG, "sun", refused=refused) is None
    assert pair.hold(LI) is None  # so it was no first card
    assert pair.hold(WANG, "sun", refused=refused) == Asked(
        "reset", ("w-2", "w-1"), "card.bad_proof"
    )


def test_what_is_done_is_not_done_again_within_the_fold_time() -> None:
    reader = Reader(reset="key", key="on")
    asked = reader.hold(WANG)
    assert asked is not None
    reader.rules.done(asked, reader.now)
    reader.clock.sleep(FOLD - 1)
    assert reader.hold(WANG) is None
    reader.clock.sleep(1)
    assert reader.hold(WANG) == asked


def test_what_was_refused_may_be_tried_again_at_once() -> None:
    reader = Reader(reset="key", key="off")
    assert reader.hold(WANG) == Asked("reset", ("w-1",), "card.key_off")
    reader.key = "on"
    assert reader.hold(WANG) == Asked("reset", ("w-1",))


def test_a_second_guard_does_not_begin_a_test_of_what_the_first_has_just_reset() -> None:
    reader = Reader(reset="key", test_window="key", key="on")
    asked = reader.hold(WANG)
    assert asked is not None
    reader.rules.done(asked, reader.now)
    reader.incident_open = False
    assert reader.hold(LI) is None
    reader.incident_open = True
    assert reader.hold(LI) == Asked("reset", ("w-2",))
    reader.incident_open = False
    reader.clock.sleep(FOLD)
    assert reader.hold(LI) == Asked("test", ("w-2",))


def test_both_cards_of_a_pair_are_folded() -> None:
    reader = Reader(reset="two_cards")
    reader.hold(WANG, "sun")
    asked = reader.hold(LI, "sun")
    assert asked is not None
    reader.rules.done(asked, reader.now)
    assert [reader.hold(tag, "sun") for tag in (WANG, LI, WANG)] == [None] * 3
    assert reader.hold(ZHAO) is None  # the second card is no first one of another pair


def test_a_scan_that_waited_may_be_of_before_the_incident_and_resets_none() -> None:
    reader = Reader(reset="key", key="on")
    assert reader.hold(WANG, waited=5.1) == Asked("reset", ("w-1",), "card.late")
    assert reader.hold(WANG, waited=4.9) == Asked("reset", ("w-1",))


def test_a_card_that_lay_on_the_reader_before_it_looked_is_nobodys_word() -> None:
    reader = Reader(reset="key", key="on")
    assert reader.hold(WANG, lay_there=True) == Asked("reset", ("w-1",), "card.lay_there")
    pair = Reader(reset="two_cards")
    assert pair.hold(WANG, "sun", lay_there=True) is None
    assert pair.hold(LI, "sun") is None
