"""Who the site is to the county's broker: name, password, certificate."""

from collections.abc import Sequence

from agent.county.session import Login
from agent.county.tls import Tls
from agent.credentials import CredentialError, Credentials
from agent.settings import BrokerSettings, SiteSettings

# When there is nobody to log in as; no broker is then ever called.
NOBODY = Login("", None, None)


def broker_login(
    site: SiteSettings, credentials: Credentials
) -> tuple[Login | None, Sequence[str]]:
    """Return who we are to the broker, or None and why it cannot be spoken to."""
    broker = site.broker
    client_id = f"{site.site.county}-{site.site.id}"
    if broker is None:
        return Login(client_id, site.broker_username, None), []
    try:
        password = credentials.resolve(broker.password) if broker.password is not None else None
        tls = broker_tls(broker, credentials)
    except CredentialError as error:
        return None, [str(error)]
    return Login(client_id, site.broker_username, password, tls), []


def broker_tls(broker: BrokerSettings, credentials: Credentials) -> Tls | None:
    """Return the files of [broker.tls]. Raises CredentialError when others can read the key."""
    if broker.tls is None:
        return None
    key = credentials.path(broker.tls.key) if broker.tls.key is not None else None
    return Tls(broker.tls.ca, broker.tls.certificate, key)
