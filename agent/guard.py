"""What lamp and buzzer tell the guard: how far an alarm has got, and when to telephone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from agent.monitors.alarm_memory import AlarmMemory
from agent.policy import GuardOutput, GuardPolicy, Pattern

Stage = Literal["off", "pressed", "recorded", "sent", "acknowledged", "telephone"]
# The one that asks most of the guard first: it is what a lamp for several buttons shows.
URGENT: tuple[Stage, ...] = ("telephone", "pressed", "recorded", "sent", "acknowledged", "off")

SLOW_SECONDS = 1.0
FAST_SECONDS = 0.25
# Two flashes, then dark: eight steps of a quarter second.
DOUBLE = (True, False, True, False, False, False, False, False)


@dataclass
class _Alarm:
    """One open incident: the press that asks for attention, and what became of it."""

    since: float
    incident: int
    row: str
    recorded: bool
    confirmed: bool = False
    sent: bool = False


class Guard:
    """Pure; called on the alarm loop alone. Nothing it knows outlives a restart.

    After one an open incident is recorded; whether it was sent is not known until it is again.
    """

    def __init__(
        self, policy: GuardPolicy, outputs: Iterable[GuardOutput], *, can_be_acknowledged: bool
    ) -> None:
        self._policy = policy
        self._outputs = list(outputs)
        self._can_be_acknowledged = can_be_acknowledged
        self._alarms: dict[str, _Alarm] = {}
        self._acknowledged: set[str] = set()

    def pressed(self, button: str, incident: int, row: str, at: float, *, recorded: bool) -> None:
        """Note a press; one more of an incident that nobody has seen changes no deadline."""
        alarm = self._alarms.get(button)
        if alarm is None or alarm.incident != incident or button in self._acknowledged:
            self._alarms[button] = _Alarm(at, incident, row, recorded)
            self._acknowledged.discard(button)
        elif not alarm.confirmed:
            alarm.row, alarm.recorded = row, recorded

    def recorded(self, row: str) -> None:
        """Note that a press has reached the disk after all."""
        for alarm in self._alarms.values():
            alarm.recorded = alarm.recorded or alarm.row == row

    def confirmed(self, row: str) -> None:
        """Note that a broker has taken a press for somebody."""
        for alarm in self._alarms.values():
            alarm.confirmed = alarm.confirmed or alarm.row == row

    def stages(
        self, memory: AlarmMemory, rows: Mapping[str, str], at: float, *, trusted: bool
    ) -> Mapping[str, Stage]:
        """Return the stage of every button; `rows` are the ids of the presses announced again.

        `trusted`: the broker has given back what we published, so that its yes means something.
        """
        stages: dict[str, Stage] = {}
        for button, one in memory.buttons.items():
            if one.incident is None:
                self._alarms.pop(button, None)
                self._acknowledged.discard(button)
                stages[button] = "off"
                continue
            alarm = self._alarms.get(button)
            if alarm is None:
                alarm = _Alarm(at, one.incident, rows.get(button, ""), recorded=True)
                self._alarms[button] = alarm
            alarm.row = alarm.row or rows.get(button, "")
            alarm.sent = alarm.sent or (alarm.confirmed and trusted)
            if one.acknowledged_by is not None:
                self._acknowledged.add(button)
            elif button in self._acknowledged:
                # Pressed again, and only counted: nobody has seen that.
                self._acknowledged.discard(button)
                alarm = _Alarm(at, one.incident, alarm.row, recorded=True)
                self._alarms[button] = alarm
            stages[button] = self._stage(button, alarm, at)
        return stages

    def outputs(
        self, stages: Mapping[str, Stage], at: float, *, linked: bool
    ) -> Mapping[tuple[str, int], bool]:
        """Return for every output, by module and number, whether it is on at this moment."""
        worst = min(stages.values(), key=URGENT.index, default="off")
        lit: dict[tuple[str, int], bool] = {}
        for output in self._outputs:
            if output.shows == "county_link":
                pattern: Pattern = "on" if linked else "slow"
            else:
                patterns = self._policy.lamp if output.shows == "alarm" else self._policy.buzzer
                pattern = patterns.of(worst)
            lit[output.module, output.output] = is_lit(pattern, at)
        return lit

    def _stage(self, button: str, alarm: _Alarm, at: float) -> Stage:
        if button in self._acknowledged:
            return "acknowledged"
        waited = at - alarm.since
        late = not alarm.sent and waited > self._policy.telephone_after_seconds
        unseen = self._can_be_acknowledged and waited > self._policy.acknowledge_within_seconds
        if late or unseen:
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
