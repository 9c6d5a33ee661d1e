"""What `config check` says of a file: its problems, what it sets up, what to know about it."""

from collections.abc import Iterator
from pathlib import Path

from agent.credentials import CredentialError, Credentials
from agent.findings import Cause
from agent.problems import KeyPath, Problem
from agent.settings import DUTIES, UNMEASURED_DUTIES, SiteSettings
from agent.settings_types import SecretReference
from agent.site_file import LoadResult, load_site
from agent.text import printable
from drivers.readings import Frozen

# Only the machine the file is meant for has these.
_ELSEWHERE = ("credential.absent", "credential.unreadable")


class Report(Frozen):
    """`summary` and `notes` are there for a file without problems only."""

    file: str
    problems: tuple[Problem, ...] = ()
    summary: tuple[Cause, ...] = ()
    notes: tuple[Cause, ...] = ()


def report(path: Path) -> Report:
    """Check a site's file and the secret files it names. Never raises."""
    file = printable(str(path))
    loaded = load_site(path)
    if loaded.site is None:
        return Report(file=file, problems=loaded.problems)
    problems, notes = _secrets(loaded, loaded.site)
    if problems:
        return Report(file=file, problems=problems)
    notes = (*_notes(loaded.site), *notes)
    return Report(file=file, summary=tuple(_summary(loaded.site)), notes=notes)


def secret_references(site: SiteSettings) -> Iterator[tuple[KeyPath, str | None, SecretReference]]:
    """Yield every secret the settings need, with its place and the device that needs it."""
    if site.broker is not None and site.broker.password is not None:
        yield ("broker", "password"), None, site.broker.password
    if site.broker is not None and site.broker.tls is not None and site.broker.tls.key is not None:
        yield ("broker", "tls", "key"), None, site.broker.tls.key
    for index, recorder in enumerate(site.recorder):
        yield ("recorder", index, "password"), recorder.id, recorder.password
    for index, reader in enumerate(site.nfc_reader):
        if reader.sun_keys is not None:
            yield ("nfc_reader", index, "sun_keys"), reader.id, reader.sun_keys


def _secrets(
    loaded: LoadResult, site: SiteSettings
) -> tuple[tuple[Problem, ...], tuple[Cause, ...]]:
    problems, notes = [], []
    credentials = Credentials(None)
    for path, device, reference in secret_references(site):
        if reference.file is None:
            continue
        try:
            # A private key has many lines and is read by the library that needs it.
            if path[-1] == "key":
                credentials.path(reference)
            elif path[-1] == "sun_keys":
                credentials.sun_keys(reference)
            else:
                credentials.resolve(reference)
        except CredentialError as error:
            cause = error.cause
            if cause.code in _ELSEWHERE:
                notes.append(Cause(code="config.note_elsewhere", params=cause.params))
            else:
                place = {"path": path, "line": loaded.line(path), "device": device}
                problems.append(Problem(code=cause.code, params=cause.params, **place))
    return tuple(problems), tuple(notes)


def _summary(site: SiteSettings) -> Iterator[Cause]:
    who = {"name": printable(site.site.name), "county": site.site.county, "id": site.site.id}
    yield Cause(code="summary.site", params={**who, "timezone": site.site.timezone})
    hosts = ", ".join(site.broker.hosts) if site.broker is not None else ""
    login = {"hosts": hosts, "username": printable(site.broker_username)}
    yield Cause(code="summary.broker", params=dict(login))
    if site.configured("alarm"):
        modules = len(site.alarm_module) + len(site.alarm_loop) + len(site.alarm_receiver)
        params = {"modules": modules, "buttons": len(site.panic_buttons)}
        yield Cause(code="summary.alarm", params=dict(params))
    if site.configured("patrol"):
        params = {"readers": len(site.nfc_reader), "checkpoints": len(site.checkpoint)}
        tours = {"tours": site.patrol.tours_min_per_day}
        yield Cause(code="summary.patrol", params={**params, **tours})
    if site.configured("recordings"):
        channels = [channel for recorder in site.recorder for channel in recorder.channel]
        params = {
            "recorders": len(site.recorder),
            "channels": len(channels),
            "key_area": sum(channel.key_area for channel in channels),
        }
        yield Cause(code="summary.recorders", params=dict(params))
        days = site.retention.retention_min_days, site.retention.key_area_min_days
        yield Cause(code="summary.retention", params={"days": days[0], "key_area_days": days[1]})
    for duty in DUTIES:
        reason = site.not_fitted.reason(duty)
        if reason is not None:
            params_ = {"duty": duty, "reason": printable(reason)}
            yield Cause(code="summary.not_fitted", params=dict(params_))


def _notes(site: SiteSettings) -> Iterator[Cause]:
    for duty in UNMEASURED_DUTIES:
        if site.not_fitted.reason(duty) is None and not site.configured(duty):
            yield Cause(code="config.note_unmeasured", params={"duty": duty})
    if site.nfc_reader and not site.checkpoint:
        yield Cause(code="config.note_no_checkpoints")
    if site.broker is not None and site.broker.tls is None:
        yield Cause(code="config.note_in_the_clear")
    certificate = site.broker.tls.certificate if site.broker and site.broker.tls else None
    if site.broker is not None and site.broker.password is None and certificate is None:
        yield Cause(code="config.note_no_password")
    for button in site.panic_buttons:
        if button.wiring == "no":
            yield Cause(code="config.note_plain_no", params={"button": button.id})
    for module in site.alarm_module:
        if module.button and not module.sees_short_presses:
            yield Cause(code="config.note_short_presses", params={"module": module.id})
