"""What lamp and buzzer tell the guard: how far an alarm has got, and when to telephone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from agent.monitors.alarm_memory import ButtonMemory
from agent.policy import GuardOutput, GuardPolicy, Pattern

Stage = Literal["off", "pressed", "recorded", "sent", "acknowledged", "telephone"]
# The one that asks most of the guard first: it is what a lamp for several buttons shows.
URGENT: tuple[Stage, ...] = ("telephone", "pressed", "recorded", "sent", "acknowledged", "off")

# What came of a card at a reader is shown for so long, whatever lamp and buzzer show otherwise.
ANSWER_SECONDS = 2.0
ACCEPTED: Pattern = "on"
REFUSED: Pattern = "fast"

# Twice the alarm loop's tick at least, or a flash may fall between two.
SLOW_SECONDS = 2.0
FAST_SECONDS = 0.5
# Two flashes, then dark: steps of FAST_SECONDS.
DOUBLE = (True, False, True, False, False, False, False, False)


@dataclass
class _Alarm:
    """One open incident, and what became of its newest press.

    `since` is when it began, or was pressed after an acknowledgement; `unsent_since` is that of
    the oldest press of which nobody knows yet.
    """

    since: float
    unsent_since: float
    incident: int
    row: str
    recorded: bool
    sent: bool = False


class Signs(NamedTuple):
    """What there is to tell the guard with, and how; settings, so they may change."""

    policy: GuardPolicy
    outputs: Sequence[GuardOutput]
    can_be_acknowledged: bool


class Guard:
    """Pure; called on the alarm loop alone. Nothing it knows outlives a restart.

    After one an open incident is recorded; whether it was sent is not known until it is again.
    """

    def __init__(self, signs: Signs) -> None:
        self._alarms: dict[str, _Alarm] = {}
        self._acknowledged: set[str] = set()
        self._answer: tuple[Pattern, float] | None = None
        self.signs = signs

    def pressed(self, button: str, incident: int, row: str, at: float, *, recorded: bool) -> None:
        """Note a press; one more that nobody has acknowledged leaves the first one's deadline."""
        alarm = self._alarms.get(button)
        if alarm is None or alarm.incident != incident or button in self._acknowledged:
            self._alarms[button] = _Alarm(at, at, incident, row, recorded)
            self._acknowledged.discard(button)
            return
        if alarm.sent:
            alarm.sent, alarm.unsent_since = False, at
        alarm.row, alarm.recorded = row, recorded

    def recorded(self, row: str) -> None:
        """Note that a press has reached the disk after all."""
        for alarm in self._alarms.values():
            alarm.recorded = alarm.recorded or alarm.row == row

    def announced(self, button: str, row: str) -> None:
        """Note under which row an incident of before the restart is announced again."""
        alarm = self._alarms.get(button)
        if alarm is not None and not alarm.row:
            alarm.row = row

    def sent(self, row: str) -> None:
        """Note that a broker which gives back what it takes has a press."""
        for alarm in self._alarms.values():
            alarm.sent = alarm.sent or alarm.row == row

    def answer(self, at: float, *, accepted: bool) -> None:
        """Note what came of a guard's card at a reader."""
        self._answer = (ACCEPTED if accepted else REFUSED, at + ANSWER_SECONDS)

    def stages(self, buttons: Mapping[str, ButtonMemory], at: float) -> Mapping[str, Stage]:
        """Return the stage of every button; what is remembered of it says what is open."""
        stages: dict[str, Stage] = {}
        for button, one in buttons.items():
            if one.incident is None:
                self._alarms.pop(button, None)
                self._acknowledged.discard(button)
                stages[button] = "off"
                continue
            alarm = self._alarms.get(button)
            if alarm is None:
                alarm = self._alarms[button] = _Alarm(at, at, one.incident, "", recorded=True)
            if one.acknowledged_by is not None:
                self._acknowledged.add(button)
            elif button in self._acknowledged:
                # Pressed again, and only counted: nobody has seen that.
                self._acknowledged.discard(button)
                alarm.since = alarm.unsent_since = at
                alarm.sent = False
            stages[button] = self._stage(button, alarm, at)
        return stages

    def outputs(
        self, stages: Mapping[str, Stage], at: float, *, linked: bool
    ) -> Mapping[tuple[str, int], bool]:
        """Return for every output, by module and number, whether it is on at this moment."""
        worst = min(stages.values(), key=URGENT.index, default="off")
        if self._answer is not None and at >= self._answer[1]:
            self._answer = None
        lit: dict[tuple[str, int], bool] = {}
        for output in self.signs.outputs:
            if output.shows == "county_link":
                pattern: Pattern = "on" if linked else "slow"
            elif self._answer is not None:
                pattern = self._answer[0]
            else:
                policy = self.signs.policy
                patterns = policy.lamp if output.shows == "alarm" else policy.buzzer
                pattern = patterns.of(worst)
            lit[output.module, output.output] = is_lit(pattern, at)
        return lit

    def _stage(self, button: str, alarm: _Alarm, at: float) -> Stage:
        if button in self._acknowledged:
            return "acknowledged"
        policy = self.signs.policy
        unsent = not alarm.sent and at - alarm.unsent_since > policy.telephone_after_seconds
        waited = at - alarm.since > policy.acknowledge_within_seconds
        if unsent or (waited and self.signs.can_be_acknowledged):
            return "telephone"
        if alarm.sent:
            return "sent"
        return "recorded" if alarm.recorded else "pressed"


def is_lit(pattern: Pattern, at: float) -> bool:
    """Tell whether a lamp with this pattern is lit at monotonic `at`."""
    match pattern:
        case "on":
            return True
        case "slow":
            return int(at / SLOW_SECONDS) % 2 == 0
        case "fast":
            return int(at / FAST_SECONDS) % 2 == 0
        case "double":
            return DOUBLE[int(at / FAST_SECONDS) % len(DOUBLE)]
    return False
