"""What the guard's lamp and buzzer say, by a clock of the test's own."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from agent.guard import Guard, Signs, Stage, is_lit
from agent.monitors.alarm_memory import AlarmMemory, ButtonMemory
from agent.policy import GuardOutput, GuardPolicy, Pattern

LAMP = GuardOutput(id="lamp", name="Lamp", output=0, shows="alarm", module="io")
BUZZER = GuardOutput(id="buzzer", name="Buzzer", output=1, shows="buzzer", module="io")
LINK = GuardOutput(id="link", name="Link", output=2, shows="county_link", module="io")


class Post:
    """A guard, and the memory it looks at."""

    def __init__(self, *, key: bool = True) -> None:
        self.guard = Guard(Signs(GuardPolicy(), [LAMP, BUZZER, LINK], key))
        self.memory = AlarmMemory(buttons={"gate": ButtonMemory(), "dorm": ButtonMemory()})

    def press(
        self, at: float, button: str = "gate", row: str = "r1", *, recorded: bool = True
    ) -> None:
        memory = self.memory.buttons[button]
        memory.incident = memory.incident or 1
        memory.acknowledged_by = None
        memory.last_press_at = datetime(2026, 9, 1, tzinfo=UTC)
        self.guard.pressed(button, memory.incident, row, at, recorded=recorded)

    def stages(self, at: float) -> Mapping[str, Stage]:
        return self.guard.stages(self.memory.buttons, at)

    def gate(self, at: float) -> Stage:
        return self.stages(at)["gate"]


def test_from_press_to_acknowledgement_and_reset() -> None:
    post = Post()
    assert post.gate(0) == "off"
    post.press(1, recorded=False)
    assert post.gate(1) == "pressed"
    post.guard.recorded("r1")
    assert post.gate(1.1) == "recorded"
    post.guard.sent("another")
    assert post.gate(1.2) == "recorded"
    post.guard.sent("r1")
    assert post.gate(1.3) == "sent"
    post.memory.buttons["gate"].acknowledged_by = "key:desk"
    assert post.gate(100) == "acknowledged"
    post.memory.buttons["gate"].incident = None
    assert post.gate(101) == "off"


def test_not_sent_in_ten_seconds_is_for_the_telephone_until_it_is() -> None:
    post = Post()
    post.press(0)
    assert post.gate(10) == "recorded"
    assert post.gate(10.1) == "telephone"
    post.guard.sent("r1")
    assert post.gate(12) == "sent"


@pytest.mark.parametrize(("key", "stage"), [(True, "telephone"), (False, "sent")])
def test_not_acknowledged_in_a_minute_is_for_the_telephone_where_it_can_be(
    key: bool, stage: Stage
) -> None:
    post = Post(key=key)
    post.press(0)
    post.guard.sent("r1")
    assert post.gate(60) == "sent"
    assert post.gate(60.1) == stage


def test_another_press_that_nobody_has_seen_moves_no_deadline() -> None:
    post = Post()
    post.press(0)
    post.press(8, row="r2")
    assert post.gate(10.1) == "telephone"
    post.guard.sent("r2")
    assert post.gate(11) == "sent"


def test_another_press_after_it_was_sent_is_not_sent_yet() -> None:
    post = Post(key=False)
    post.press(0)
    post.guard.sent("r1")
    assert post.gate(1) == "sent"
    post.press(100, row="r2", recorded=False)
    assert post.gate(100) == "pressed"
    post.guard.sent("r1")  # announced again
    assert post.gate(101) == "pressed"
    post.guard.recorded("r2")
    assert post.gate(110) == "recorded"
    assert post.gate(110.1) == "telephone"
    post.guard.sent("r2")
    assert post.gate(111) == "sent"


def test_another_press_that_is_sent_at_once_does_not_put_off_the_acknowledgement() -> None:
    post = Post()
    post.press(0)
    post.guard.sent("r1")
    post.press(50, row="r2")
    post.guard.sent("r2")
    assert post.gate(60) == "sent"
    assert post.gate(60.1) == "telephone"


def test_a_press_after_an_acknowledgement_starts_over() -> None:
    post = Post()
    post.press(0)
    post.memory.buttons["gate"].acknowledged_by = "key:desk"
    assert post.gate(5) == "acknowledged"
    post.press(100, row="r2")
    assert post.gate(100) == "recorded"
    assert post.gate(110.1) == "telephone"


def test_a_press_that_is_only_counted_starts_over_too() -> None:
    post = Post()
    post.press(0)
    post.memory.buttons["gate"].acknowledged_by = "key:desk"
    post.gate(5)
    post.memory.buttons["gate"].acknowledged_by = None
    assert post.gate(100) == "recorded"
    assert post.gate(110.1) == "telephone"


def test_after_a_restart_it_is_recorded_until_it_is_sent_again() -> None:
    post = Post()
    post.memory.buttons["gate"].incident = 4
    assert post.gate(50) == "recorded"
    post.guard.announced("gate", "r9")
    post.guard.sent("r9")
    assert post.gate(51) == "sent"


def test_after_a_restart_an_acknowledgement_is_still_shown() -> None:
    post = Post()
    post.memory.buttons["gate"] = ButtonMemory(incident=4, acknowledged_by="key:desk")
    assert post.gate(500) == "acknowledged"


def test_an_incident_closed_and_opened_anew_starts_over() -> None:
    post = Post()
    post.press(0)
    post.guard.sent("r1")
    assert post.gate(1) == "sent"
    post.memory.buttons["gate"].incident = None
    assert post.gate(2) == "off"
    post.memory.buttons["gate"].incident = 2
    post.press(3, row="r2")
    assert post.gate(3) == "recorded"


def test_the_lamp_shows_what_asks_most_of_the_guard() -> None:
    post = Post()
    post.press(0)
    post.guard.sent("r1")
    assert post.gate(0) == "sent"
    post.press(30, "dorm", "r2")

    def shown(at: float) -> list[bool]:
        lit = post.guard.outputs(post.stages(at), at, linked=False)
        return [lit["io", number] for number in (0, 1, 2)]

    assert post.stages(45) == {"gate": "sent", "dorm": "telephone"}
    seen = [shown(44 + step / 2) for step in range(8)]
    assert [lamp for lamp, _, _ in seen].count(True) == 2  # the double flash
    assert all(buzzer for _, buzzer, _ in seen)
    assert [link for _, _, link in seen] == [True] * 4 + [False] * 4
    post.memory.buttons["gate"].acknowledged_by = "key:desk"
    post.memory.buttons["dorm"].acknowledged_by = "key:desk"
    assert [one[:2] for one in (shown(50), shown(51))] == [[True, False]] * 2


@pytest.mark.parametrize(("accepted", "seen"), [(True, "xxxx...."), (False, "x.x.....")])
def test_what_came_of_a_card_is_shown_for_two_seconds(accepted: bool, seen: str) -> None:
    post = Post()
    post.guard.answer(0, accepted=accepted)
    lit = [post.guard.outputs({"gate": "off"}, step / 2, linked=True) for step in range(8)]
    assert "".join("x" if one["io", 0] else "." for one in lit) == seen
    assert [one["io", 1] for one in lit] == [one["io", 0] for one in lit]
    assert all(one["io", 2] for one in lit)  # the county's lamp says what it always says


@pytest.mark.parametrize(
    ("pattern", "lit"),
    [
        ("off", "........"),
        ("on", "xxxxxxxx"),
        ("slow", "xxxx...."),
        ("fast", "x.x.x.x."),
        ("double", "x.x....."),
    ],
)
def test_patterns(pattern: Pattern, lit: str) -> None:
    seen = "".join("x" if is_lit(pattern, step / 2) else "." for step in range(8))
    assert seen == lit
