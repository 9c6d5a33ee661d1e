"""Contacts that are no panic buttons."""

from agent.county.contract import Event
from agent.county.event_data import ContactEventData
from agent.county.state_data import ContactState
from agent.findings import Verdict
from agent.monitors.alarm import AlarmMonitor
from agent.monitors.alarm_memory import AlarmMemory
from agent.policy import AlarmEquipment, AlarmInputs, Contact
from drivers.readings import ContactsReading, Outage, Reason
from tests.alarm_bench import GATE, Bench

MAINS = Contact(
    id="mains", name="Mains", kind="mains", input=1, normal="closed", when_active="fail"
)
BOLLARD = Contact(
    id="bollard", name="Bollard", kind="fault-relay", input=2, normal="open", delay_seconds=5
)
SITE = AlarmEquipment(modules=(AlarmInputs(id="io", buttons=(GATE,), contacts=(MAINS, BOLLARD)),))


class Cabinet(Bench):
    """A bench that hears what its contacts say; the button stays at rest."""

    def __init__(self, memory: AlarmMemory | None = None) -> None:
        super().__init__(site=SITE, memory=memory)

    def shows(self, mains: bool, bollard: bool, seconds: float = 1.0) -> list[tuple[str, str]]:
        self.clock.advance(seconds)
        reading = ContactsReading(
            device_id="io",
            observed_at=self.clock.now(),
            inputs=(False, mains, bollard),
            reply_seconds=0.02,
        )
        return heard(list(self.monitor.observe(reading, self.now())))

    def lost(self) -> list[tuple[str, str]]:
        outage = Outage(device_id="io", observed_at=self.clock.now(), reason=Reason.PORT_LOST)
        return heard(list(self.monitor.observe(outage, self.now())))

    def contact(self, name: str) -> ContactState:
        [found] = [
            state.data
            for state in self.monitor.states(self.now())
            if state.id == name and isinstance(state.data, ContactState)
        ]
        return found


def heard(events: list[Event]) -> list[tuple[str, str]]:
    return [
        (event.data.what, event.data.contact)
        for event in events
        if isinstance(event.data, ContactEventData)
    ]


def test_unknown_until_it_has_stood_long_enough_then_told_only_when_it_changes() -> None:
    cabinet = Cabinet()
    assert cabinet.contact("mains").position == "unknown"
    assert cabinet.shows(True, False) == []
    assert cabinet.contact("mains").verdict is Verdict.UNKNOWN
    assert cabinet.shows(True, False) == []
    assert (cabinet.contact("mains").position, cabinet.contact("mains").verdict) == (
        "normal",
        Verdict.OK,
    )
    assert cabinet.shows(False, False) == []
    assert cabinet.shows(False, False) == [("active", "mains")]
    assert cabinet.contact("mains").verdict is Verdict.FAIL
    cabinet.shows(True, False)
    assert cabinet.shows(True, False) == [("normal", "mains")]


def test_its_delay_swallows_what_is_shorter() -> None:
    cabinet = Cabinet()
    for _ in range(7):
        cabinet.shows(True, False)
    for _ in range(5):
        assert cabinet.shows(True, True) == []
    assert cabinet.shows(True, False) == []
    for _ in range(5):
        assert cabinet.shows(True, True) == []
    assert cabinet.shows(True, True) == [("active", "bollard")]
    assert cabinet.contact("bollard").verdict is Verdict.WARN


def test_one_that_is_active_at_the_first_start_is_told() -> None:
    cabinet = Cabinet()
    cabinet.shows(False, False)
    assert cabinet.shows(False, False) == [("active", "mains")]


def test_over_a_restart_only_a_change_is_told() -> None:
    cabinet = Cabinet()
    for _ in range(7):
        cabinet.shows(False, False)
    memory = AlarmMemory.model_validate_json(cabinet.monitor.memory.model_dump_json())
    again = Cabinet(memory)
    told = [one for _ in range(7) for one in again.shows(False, True)]
    assert told == [("active", "bollard")]


def test_a_module_that_is_lost_leaves_nothing_known() -> None:
    cabinet = Cabinet()
    for _ in range(7):
        cabinet.shows(True, False)
    assert cabinet.lost() == [("trouble", "mains"), ("trouble", "bollard")]
    assert (cabinet.contact("mains").position, cabinet.contact("mains").verdict) == (
        "trouble",
        Verdict.FAIL,
    )
    assert cabinet.shows(True, False) == [("restored", "mains"), ("restored", "bollard")]
    assert cabinet.contact("mains").position == "normal"


def test_a_normally_closed_contact_counts_when_the_supply_is_cut() -> None:
    office = GATE.model_copy(update={"id": "office", "wiring": "nc"})
    site = AlarmEquipment(modules=(AlarmInputs(id="io", buttons=(office,), contacts=(MAINS,)),))
    bench = Bench(site=site)
    assert isinstance(bench.monitor, AlarmMonitor)
    bench.reply(True, True)
    assert [word[0] for word in bench.reply(False, False)] == ["press", "trouble"]
    one = Bench(site=site)
    one.reply(True, True)
    assert [word[0] for word in one.reply(False, True)] == ["press"]
