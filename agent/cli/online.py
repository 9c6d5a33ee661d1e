"""The part of `campus-agent config check` that calls the county's broker."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from agent.broker_login import broker_login
from agent.clock import SystemClock
from agent.control.client import call
from agent.control.protocol import CommandError, socket_path
from agent.county.link import Link
from agent.county.online import Caller, Check, broker, ourselves
from agent.county.topics import Topics
from agent.credentials import Credentials
from agent.findings import Cause, Verdict
from agent.settings import SiteSettings
from drivers.base import Clock
from drivers.host import kernel_clock_synchronised

# Where the service takes its credentials from; a technician's shell has no directory of its own.
SERVICE_CREDENTIALS = Path("/etc/campus-agent/credentials")
CHECKED_AS = "-check"
# Of an agent that runs and does not say how it is connected.
UNSEEN = Link(broker=None, protocol="none", trusted=False, detail="", cut_short=0)


def checks(
    site: SiteSettings, environ: Mapping[str, str], clock: Clock | None = None
) -> Iterator[Check]:
    """Check every broker of a site, layer by layer, as each answer comes."""
    credentials = service_credentials(environ)
    login, problems = broker_login(site, credentials)
    if login is None or site.broker is None:
        for problem in problems:
            cause = Cause(code="online.no_login", params={"detail": problem})
            yield Check(layer="login", where="", verdict=Verdict.FAIL, cause=cause)
        return
    link = _running_here(site, environ)
    if link is not None:
        login = replace(login, client_id=login.client_id + CHECKED_AS)
    topics = Topics(site.site.county, site.site.id)
    synchronised = kernel_clock_synchronised()
    caller = Caller(
        login,
        topics,
        clock or SystemClock(),
        synchronised if isinstance(synchronised, bool) else None,
        link,
    )
    yield from ourselves(caller)
    for address in site.broker.addresses:
        for one in broker(caller, address):
            # Whether it was thrown out, an agent that does not answer cannot tell.
            if link is not UNSEEN or one.layer != "alone":
                yield one


def service_credentials(environ: Mapping[str, str]) -> Credentials:
    """Return the secrets as the service has them; root's shell takes them from where they lie."""
    return Credentials.from_environ({**_DEFAULTS, **environ})


def _running_here(site: SiteSettings, environ: Mapping[str, str]) -> Link | None:
    """Ask the agent that runs on this machine, if one does, for its connection.

    One that may not be asked, or hangs, is there all the same: our login must not throw it out.
    """
    try:
        reply = call(socket_path(environ, site.control.socket), "county")
        return Link.model_validate(reply.data) if reply.ok else UNSEEN
    except CommandError as error:
        return None if error.code == "control.not_running" else UNSEEN
    except ValueError:
        return UNSEEN


_DEFAULTS = {"CREDENTIALS_DIRECTORY": str(SERVICE_CREDENTIALS)} if os.geteuid() == 0 else {}
