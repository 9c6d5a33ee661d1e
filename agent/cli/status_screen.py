"""A school on one screen: duties first, then what a guard or a technician asks for next."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from agent.duties import SERVED_BY
from agent.text import Language, join, sentence
from agent.text.columns import padded, width, wrapped
from agent.text.messages import cause_line

Data = Mapping[str, Any]
LABEL_COLUMNS, VERDICT_COLUMNS, DUTY_COLUMNS = 12, 8, 17
# So many names fit beside their count; `--all` has the rest.
NAMES = 4
# What has no line of its own is named as soon as it is not well.
OTHERS = ("contact", "output", "reader", "police-link")


class Screen:
    """Lays out what `status` is answered; nothing in it is too long for `columns`."""

    def __init__(self, lang: Language, known: Data, now: datetime, columns: int) -> None:
        self._lang = lang
        self._columns = columns
        self._known = known
        site: Data = known.get("site") or {}
        self._zone: tzinfo = ZoneInfo(site["timezone"]) if site else UTC
        self._now = now.astimezone(self._zone)
        self._states: dict[str, dict[str, Data]] = {}
        self._since: dict[tuple[str, str], str] = {}
        for state in known["states"]:
            self._states.setdefault(state["kind"], {})[state["id"]] = state["data"]
            self._since[state["kind"], state["id"]] = state.get("since", "")

    def lines(self) -> list[str]:
        """Return the screen, line by line."""
        rows: Sequence[tuple[str, Callable[[], list[str]]]] = (
            ("incident", self._incidents),
            ("press_test", self._press_tests),
            ("patrol", self._patrol),
            ("posts", self._posts),
            ("cameras", self._cameras),
            ("recorders", self._recorders),
            ("recordings", self._recordings),
            ("county", self._county),
            ("machine", self._machine),
            ("agent", self._agent),
            ("others", self._others),
        )
        made = [*self._head(), "", *self._duties(), ""]
        for name, parts in rows:
            if said := parts():
                label = padded(self._say(f"status.{name}"), LABEL_COLUMNS)
                made += self._laid(label, join(self._lang, said))
        return made

    def _head(self) -> list[str]:
        site: Data = self._known.get("site") or {}
        name = "{name} ({county}/{id})".format(**site) if site else ""
        at = f"{self._now:%Y-%m-%d %H:%M}"
        room = self._columns - width(at) - 2
        first, *more = wrapped(name, room)
        return [f"{padded(first, room)}  {at}", *more]

    def _duties(self) -> Iterator[str]:
        for duty, data in self._states.get("duty", {}).items():
            word = self._say(f"word.{data['verdict']}")
            name = self._say(f"duty.{duty.replace('-', '_')}")
            label = padded(word, VERDICT_COLUMNS) + padded(name, DUTY_COLUMNS)
            if data.get("not_fitted"):
                said = [self._say("status.not_fitted", not_fitted=data["not_fitted"])]
            else:
                said = [self._say("status.since", at=self._at(self._since["duty", duty]))]
                said += self._why(duty, data)
            yield from self._laid(label, join(self._lang, said))

    def _why(self, duty: str, data: Data) -> list[str]:
        """Return the causes of a duty's verdict: of what serves it, each one's own."""
        kinds = SERVED_BY.get(duty.replace("-", "_"), ())
        served = {name: one for kind in kinds for name, one in self._states.get(kind, {}).items()}
        said = []
        for cause in data["causes"]:
            name = str(cause["params"].get("object", ""))
            deeper = served[name]["causes"] if name in served else ()
            if cause["code"] == "duty.because" and deeper:
                why = cause_line(self._lang, deeper[0])
                # A school has one patrol, whose id says nothing to anybody.
                of_site = name in self._states.get("patrol", {})
                said.append(why if of_site else self._say("status.of", object=name, why=why))
            else:
                said.append(cause_line(self._lang, cause))
        return self._few(said)

    def _incidents(self) -> list[str]:
        said = []
        for name, data in self._states.get("button", {}).items():
            if data["incident"] is None:
                continue
            by = data["acknowledged_by"]
            params = {**data, "button": name, "at": self._at(data["last_press_at"])}
            said.append(self._say("status.incident_open", **params))
            said.append(
                self._say("status.acknowledged_by", by=by) if by else self._say("status.not_seen")
            )
            said.append(self._say(f"panel.told_{data['guard']}"))
        for data in self._states.get("test-window", {}).values():
            if data["open"]:
                ends, buttons = self._at(data["ends_at"]), ", ".join(data["buttons"])
                said.append(self._say("status.test_open", at=ends, by=data["by"], buttons=buttons))
        return said or [self._say("status.incident_none")]

    def _press_tests(self) -> list[str]:
        buttons = self._states.get("button", {})
        tested = sorted(
            (data["last_test_at"], name) for name, data in buttons.items() if data["last_test_at"]
        )
        never = [name for name, data in buttons.items() if not data["last_test_at"]]
        said = []
        if tested:
            at, name = tested[-1]
            said.append(self._say("status.tested", button=name, at=self._at(at)))
        if len(tested) > 1:
            at, name = tested[0]
            said.append(self._say("status.tested_first", button=name, at=self._at(at)))
        if never:
            said.append(self._say("status.never_tested", names=self._names(never)))
        return said

    def _patrol(self) -> list[str]:
        said = []
        for data in self._states.get("patrol", {}).values():
            said.append(self._say("status.tours", **data))
            if data.get("due_until"):
                said.append(self._next_tour(data))
            for word in ("late", "missed", "not_observed"):
                spans = [one["window"] for one in data.get("windows", ()) if one["word"] == word]
                if spans:
                    said.append(self._say(f"status.window_{word}", times=", ".join(spans)))
        return said

    def _next_tour(self, data: Data) -> str:
        begins = datetime.fromisoformat(data["due_from"])
        code = "status.tour_due" if begins <= self._now else "status.next_tour"
        times = {name: self._at(data[name]) for name in ("due_from", "due_until")}
        return self._say(code, **times, minutes=data["minutes_left"])

    def _posts(self) -> list[str]:
        return self._few(
            [
                self._say("status.post", **{**data, "id": name, "due_at": self._at(data["due_at"])})
                for name, data in self._states.get("post", {}).items()
            ]
        )

    def _cameras(self) -> list[str]:
        cameras = self._states.get("camera", {})
        return self._counted({name: data["verdict"] for name, data in cameras.items()}, "camera")

    def _counted(self, words: Mapping[str, str], what: str) -> list[str]:
        """Return how many there are of each word, with names where something is wrong."""
        said = []
        for word, count in sorted(Counter(words.values()).items(), key=_worst_last):
            names = [name for name, one in words.items() if one == word]
            wrong = word in ("fail", "warn", "short", "unknown")
            code = "status.count_named" if wrong else "status.count"
            shown = self._say(f"status.{what}_{word}")
            said.append(self._say(code, count=count, what=shown, names=self._names(names)))
        return said

    def _recorders(self) -> list[str]:
        return self._few(
            [
                self._say("status.recorder", id=name, **data)
                for name, data in self._states.get("recorder", {}).items()
            ]
        )

    def _recordings(self) -> list[str]:
        channels = self._states.get("recording", {})
        return self._counted({name: data["word"] for name, data in channels.items()}, "recording")

    def _county(self) -> list[str]:
        link: Data = self._known.get("link") or {}
        backlog: Data = self._known.get("backlog") or {}
        if not link:
            return []
        if link["broker"] is None:
            said = [self._say("status.offline")]
        else:
            code = "status.trusted" if link["trusted"] else "status.untested"
            said = [self._say(code, broker=link["broker"])]
        if any(one is None for one in backlog.values()):
            return [*said, self._say("status.backlog_unknown")]
        if any(backlog.values()):
            return [*said, self._say("status.backlog", **backlog)]
        return [*said, self._say("status.no_backlog")]

    def _machine(self) -> list[str]:
        said = []
        for data in self._states.get("host", {}).values():
            free, clock = data["disk_free_ratio"], data["clock"]
            percent = f"{free:.0%}" if isinstance(free, float) else self._say("word.unknown")
            said.append(self._say("status.disk", percent=percent))
            said.append(self._say("status.clock", clock=clock))
            said += self._few([cause_line(self._lang, cause) for cause in data["causes"]])
        return said

    def _agent(self) -> list[str]:
        said = []
        for data in self._states.get("agent", {}).values():
            started = self._at(data["started_at"])
            said.append(self._say("status.running", version=data["version"], at=started))
            said += self._few([cause_line(self._lang, cause) for cause in data["causes"]])
        return said

    def _others(self) -> list[str]:
        return self._few(
            [
                self._say("duty.because", object=name, verdict=data["verdict"])
                for kind in OTHERS
                for name, data in self._states.get(kind, {}).items()
                if data["verdict"] != "ok"
            ]
        )

    def _laid(self, label: str, text: str) -> list[str]:
        """Return a labelled row; what does not fit goes on below itself."""
        indent = width(label)
        first, *more = wrapped(text, self._columns - indent)
        return [label + first, *(" " * indent + line for line in more)]

    def _few(self, said: list[str]) -> list[str]:
        more = len(said) - NAMES
        left = [self._say("status.more", count=more)] if more > 0 else []
        return [*said[:NAMES], *left]

    def _names(self, names: Sequence[str]) -> str:
        return ", ".join(self._few(list(names)))

    def _at(self, moment: str | None) -> str:
        """Write an instant as the site's clocks show it, with the day where it is not today."""
        if not moment:
            return "—"
        at = datetime.fromisoformat(moment).astimezone(self._zone)
        if at.time() == time() and at.date() - self._now.date() == timedelta(days=1):
            return "24:00"
        if at.date() == self._now.date():
            return f"{at:%H:%M}"
        return f"{at:%m-%d %H:%M}" if at.year == self._now.year else f"{at:%Y-%m-%d %H:%M}"

    def _say(self, code: str, **params: object) -> str:
        return sentence(self._lang, code, **params)


def _worst_last(counted: tuple[str, int]) -> int:
    order = ("ok", "met", "claimed", "growing", "warn", "short", "fail", "unknown")
    return order.index(counted[0]) if counted[0] in order else len(order)
