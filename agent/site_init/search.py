"""What is found on this machine and its network, and what a person says about it."""

from pathlib import Path
from typing import NamedTuple

from agent.site_init.draft import (
    CHANNEL_NUMBERS,
    Draft,
    FreeIds,
    NewChannel,
    NewModule,
    NewReader,
    NewRecorder,
    short_name,
)
from agent.site_init.questions import Questions, RefusedError
from agent.site_init.recorders import (
    Candidate,
    Introduced,
    Where,
    candidates,
    introduced,
    likely,
    streaming_only,
)
from agent.site_init.secret_files import Secrets
from agent.site_init.serial_ports import Port, ask
from agent.text import sentence
from drivers.base import Clock
from drivers.errors import DriverError
from drivers.recorder.address_scan import RangeTooLargeError
from drivers.serial_probe import FoundEm4100, FoundModule, FoundPn532

DEFAULT_USER = "inspector"
SHOWN_CHANNELS = 64


class Machine(NamedTuple):
    """Where to look, and what is there already."""

    ports: list[str]
    where: Where
    known: frozenset[tuple[str, int]]
    state_directory: Path
    timezone: str


class Search:
    """Fills a draft; `refused` are recorders that were found and could not be asked."""

    def __init__(
        self, questions: Questions, machine: Machine, ids: FreeIds, secrets: Secrets, clock: Clock
    ) -> None:
        self.draft = Draft()
        self.refused: list[str] = []
        self._ask = questions
        self._machine = machine
        self._ids = ids
        self._secrets = secrets
        self._clock = clock
        self._login = (DEFAULT_USER, "")

    def ports(self) -> None:
        """Ask every free port."""
        if not self._machine.ports:
            self._ask.say("init.no_ports")
        for path in self._machine.ports:
            self._ask.say("init.port_asked", port=path)
            self._took(ask(path, self._clock, lambda: self._ask.say("init.hold_a_tag")))

    def network(self) -> None:
        """Find recorders and log in to those that are chosen. Raises RefusedError."""
        self._ask.say("init.network_asked")
        try:
            found = candidates(self._machine.where, self._machine.known, self._clock)
        except RangeTooLargeError:
            raise RefusedError("init.range_too_large") from None
        except ValueError:
            raise RefusedError("init.bad_range") from None
        except OSError as error:
            self._ask.say("init.no_multicast", detail=error.strerror or "")
            return
        for host in streaming_only(self._machine.where):
            self._ask.say("init.streaming_only", host=host)
        if not found:
            self._ask.say("init.no_recorders")
        for place, one in enumerate(found, start=1):
            self._ask.say("init.candidate", number=place, **one._asdict())
        places = likely(found)
        if len(found) > 1:
            places = self._ask.numbers("init.ask_recorders", range(1, len(found) + 1), places)
        for place in places:
            self._recorder(found[place - 1])

    def _took(self, port: Port) -> None:
        found, ids, lang = port.found, self._ids, self._ask.lang
        if port.busy:
            self._ask.say("init.port_busy", port=port.path)
        elif isinstance(found, FoundPn532 | FoundEm4100):
            driver = "pn532" if isinstance(found, FoundPn532) else "em4100"
            reader = ids.take("gate-reader", stem="reader")
            name = sentence(lang, "init.name_reader")
            self.draft.readers.append(
                NewReader(reader, name, "pn532" if driver == "pn532" else "em4100", port.path)
            )
            self._ask.say("init.found_reader", driver=driver, id=reader)
        elif isinstance(found, FoundModule) and found.levels:
            module = NewModule(
                id=ids.take("gatehouse-io", stem="io"),
                port=port.path,
                button=ids.take("gate", stem="button"),
                button_name=sentence(lang, "init.name_button"),
                # Nobody presses it now: one that is closed at rest opens when it is pressed.
                wiring="nc" if found.levels[0] else "no",
                baud=found.baud,
                table=found.table,
                inputs=len(found.levels),
            )
            self.draft.modules.append(module)
            self._ask.say("init.found_module", id=module.id, baud=found.baud, wiring=module.wiring)
        elif isinstance(found, FoundModule):
            self._ask.say("init.found_other_module", port=port.path, baud=found.baud)
        else:
            self._ask.say("init.found_nothing", port=port.path)

    def _recorder(self, candidate: Candidate) -> None:
        """Ask for a login and use it once."""
        self._ask.say("init.recorder_login", host=candidate.host, maker=candidate.maker)
        user = self._ask.text("init.ask_user", self._login[0])
        code = "init.ask_password_again" if self._login[1] else "init.ask_password"
        password = self._ask.password(code) or self._login[1]
        if not password:
            self._ask.say("init.recorder_skipped", host=candidate.host)
            self.refused.append(candidate.host)
            return
        recorder = self._ids.take(stem="nvr")
        machine = self._machine
        try:
            said = introduced(
                candidate,
                recorder,
                (user, password),
                machine.state_directory,
                machine.timezone,
                self._clock,
            )
        except DriverError as error:
            reason = error.reason
            self._ask.say("init.recorder_refused", host=candidate.host, reason=reason)
            self.refused.append(candidate.host)
            return
        self._login = (user, password)
        channels = self._channels(recorder, said)
        self.draft.recorders.append(
            NewRecorder(
                id=recorder,
                name=sentence(self._ask.lang, "init.name_recorder"),
                driver=candidate.maker,
                host=candidate.host,
                username=user,
                secret=self._secrets.add(recorder, password),
                channels=channels,
                http_port=candidate.http_port,
                rtsp_port=machine.where.rtsp_port,
                note=said.model,
            )
        )

    def _channels(self, recorder: str, said: Introduced) -> tuple[NewChannel, ...]:
        """Return its channels, those of key areas ticked."""
        lang, listed = self._ask.lang, said.channels
        self._ask.say("init.recorder_known", model=said.model or "?", channels=len(listed))
        if not listed:
            last = self._ask.text("init.ask_channel_count", "4", self._wrong_count)
            listed = dict.fromkeys(range(1, int(last) + 1), "")
        names = {
            number: short_name(name, sentence(lang, "init.name_channel", number=number))
            for number, name in listed.items()
        }
        for number in list(names)[:SHOWN_CHANNELS]:
            self._ask.say("init.channel", number=number, name=names[number])
        ticked = self._ask.numbers("init.ask_key_areas", list(names), ())
        return tuple(
            NewChannel(
                number,
                self._ids.take(f"cam-{number}", f"{recorder}-cam-{number}", stem="cam"),
                name,
                key_area=number in ticked,
            )
            for number, name in names.items()
        )

    def _wrong_count(self, answer: str) -> str | None:
        good = answer.isascii() and answer.isdecimal() and len(answer) < 4
        if good and int(answer) in CHANNEL_NUMBERS:
            return None
        return sentence(self._ask.lang, "init.bad_count", most=CHANNEL_NUMBERS[-1])
