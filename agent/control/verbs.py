"""The commands of the control socket, each carried out on the loop that owns what it touches."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any, TypeVar

import structlog

from agent.alarm_lane import AlarmLane
from agent.control.overview import overview
from agent.control.protocol import CommandError
from agent.control.server import Args, Verb
from agent.county.link import Link
from agent.loop import Loop
from agent.monitors.incidents import AlarmRefusedError
from agent.recorders import RecorderPart
from agent.settings import Identity
from agent.states import StateBoard
from agent.store import inspections
from agent.store.database import Database
from agent.store.outbox import Outbox

LOOP_SECONDS = 5.0

T = TypeVar("T")

log = structlog.get_logger()


def verbs(
    alarm: AlarmLane,
    loop: Loop,
    board: StateBoard,
    read_settings: Callable[[], Sequence[str]],
    county: Callable[[], Link],
    recorders: Callable[[], Mapping[str, RecorderPart]],
    accept_view: Callable[[str], None],
    thumbnail: Callable[[str], Path | None],
    site: Callable[[], Identity],
    streams: Mapping[str, Outbox],
) -> Mapping[str, Verb]:
    """Return every command the daemon understands."""

    def reset(args: Args, who: str) -> dict[str, Any]:
        button, reason = str(args.get("button", "")), str(args.get("reason", ""))
        incident = _answer(loop.ask(lambda: alarm.reset(button, by=who, reason=reason)))
        return {"button": button, "incident": incident}

    def start_test(args: Args, who: str) -> dict[str, Any]:
        buttons = [one for one in str(args.get("buttons", "")).split(",") if one]
        by, minutes = str(args.get("by", "")), float(args.get("minutes", 15))
        who = f"{by} ({who})" if by else ""
        _answer(loop.ask(lambda: alarm.start_test(buttons, by=who, minutes=minutes)))
        return {"buttons": ", ".join(buttons), "minutes": minutes}

    def end_test(_args: Args, who: str) -> dict[str, Any]:
        _answer(loop.ask(lambda: alarm.end_test(by=who)))
        return {}

    def status(_args: Args, _who: str) -> dict[str, Any]:
        return overview(board, site(), county(), streams)

    def reload(_args: Args, _who: str) -> dict[str, Any]:
        return {"changed": list(read_settings())}

    def link(_args: Args, _who: str) -> dict[str, Any]:
        return county().model_dump()

    return {
        "county": link,
        **_of_cameras(board, accept_view, thumbnail, streams["event"].database),
        **_of_recorders(recorders),
        "reload": reload,
        "alarm-reset": reset,
        "alarm-test-start": start_test,
        "alarm-test-end": end_test,
        "status": status,
    }


def _of_cameras(
    board: StateBoard,
    accept_view: Callable[[str], None],
    thumbnail: Callable[[str], Path | None],
    store: Database,
) -> Mapping[str, Verb]:
    def camera(args: Args) -> str:
        name = str(args.get("camera", ""))
        if all((one.data.kind, one.id) != ("camera", name) for one in board.newest()):
            raise CommandError("camera.no_such", camera=name)
        return name

    def accept(args: Args, who: str) -> dict[str, Any]:
        name = camera(args)
        log.info("view accepted", device=name, by=who)
        accept_view(name)
        return {}

    def history(args: Args, _who: str) -> dict[str, Any]:
        name, since = camera(args), float(args.get("since", 0))
        found = _answer(inspections.history(store, name, since))
        good = _answer(inspections.last_good(store, name))
        kept = thumbnail(name)
        return {
            "good_at": good,
            "inspections": [one._asdict() for one in found],
            "picture": "" if kept is None else str(kept),
        }

    return {"camera-accept": accept, "camera-history": history}


def _of_recorders(recorders: Callable[[], Mapping[str, RecorderPart]]) -> Mapping[str, Verb]:
    def recorder(args: Args) -> RecorderPart:
        name = str(args.get("recorder", ""))
        found = recorders().get(name)
        if found is None:
            raise CommandError("recorder.no_such", recorder=name)
        return found

    def show_recorder(args: Args, _who: str) -> dict[str, Any]:
        return dict(recorder(args).shown())

    def retry_recorder(args: Args, who: str) -> dict[str, Any]:
        recorder(args).retry_login(who)
        return {}

    def prove(args: Args, who: str) -> dict[str, Any]:
        part, channel = recorder(args), str(args.get("channel", ""))
        try:
            before = part.played(channel)
            if args.get("again"):
                part.prove(channel, who)
        except KeyError:
            raise CommandError("recorder.no_such_channel", channel=channel) from None
        return dict(before)

    return {
        "recorder-show": show_recorder,
        "recorder-retry": retry_recorder,
        "recorder-prove": prove,
    }


def _answer(future: "Future[T]") -> T:
    try:
        return future.result(LOOP_SECONDS)
    except FutureTimeoutError:
        raise CommandError("control.busy") from None
    except AlarmRefusedError as error:
        raise CommandError(error.code, button=error.button) from None
