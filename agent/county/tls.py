"""TLS to the county's broker: whom we trust, and the certificate that says who we are."""

import ssl
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.base import Clock

if TYPE_CHECKING:  # 9 MB of memory, which a school without TLS can do without
    from cryptography import x509

WARNING_DAYS = 30


@dataclass(frozen=True, slots=True)
class Tls:
    """Files, read anew for every connection: a renewed certificate needs no restart.

    No `ca`: the authorities the system trusts. No `certificate`: the broker asks for none.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    # Held while the files are read: a disk that hangs gets one reader, not one a connection.
    reading: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def context(self) -> ssl.SSLContext:
        """Return what a connection needs. Raises OSError or ValueError, which names no secret."""
        context = ssl.create_default_context(cafile=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate is not None:
            # Without a password: a key that asks for one would ask on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        return context

    def days_left(self, now: datetime) -> int | None:
        """Return for how many whole days our certificate is still good, below 0 when it is not.

        None: there is none, or it cannot be read.
        """
        if self.certificate is None:
            return None
        try:
            until = read_certificate(self.certificate).not_valid_after_utc
        except (OSError, ValueError):
            return None
        return (until - now) // timedelta(days=1)


class Validity:
    """How long our certificate is still good, as it was last looked at.

    `look` reads a file, which no thread may wait for that sends or feeds the watchdog.
    """

    def __init__(self, clock: Clock, tls: Tls | None = None) -> None:
        self._clock = clock
        self.change(tls)

    def change(self, tls: Tls | None) -> None:
        """Look at other files from now on."""
        self._tls = tls
        self.days_left: int | None = None
        self.seen = False

    def look(self) -> bool:
        """Read the file; return whether the county should hear of what it says."""
        tls = self._tls
        if tls is None:
            return False
        days = tls.days_left(self._clock.now())
        changed = not self.seen or days != self.days_left
        self.days_left, self.seen = days, True
        return changed

    @property
    def expired(self) -> bool:
        """Tell whether there is a certificate that is good no more, or cannot be read."""
        has_one = self._tls is not None and self._tls.certificate is not None
        return has_one and self.seen and (self.days_left is None or self.days_left < 0)


def read_certificate(path: Path) -> "x509.Certificate":
    """Read the first certificate of a PEM file. Raises OSError or ValueError."""
    from cryptography import x509  # noqa: PLC0415 - a school without TLS does not pay for it

    return x509.load_pem_x509_certificate(path.read_bytes())


def common_name(name: "x509.Name") -> str:
    """Return the name's CN, or all of it when it has none."""
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - as above

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
