"""Who speaks ONVIF on this network: a WS-Discovery probe, and what may come back to it.

WS-Discovery (April 2005) over SOAP 1.2; ONVIF Core 7.3 says which types and scopes.
"""

import contextlib
import ipaddress
import socket
import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

import psutil

from drivers.base import Clock
from drivers.recorder.isapi import children, parse, text

# WS-Discovery 2.4: the group and the port of the protocol.
GROUP = ("239.255.255.250", 3702)
SECONDS = 3.0
# A network of thousands of cameras is no school; one that floods us is no network.
MOST_ANSWERS = 2048
MOST_DEVICES = 256
DATAGRAM_BYTES = 65_535
NAME_LETTERS = 64
RECEIVE_BYTES = 1 << 20
_SCOPE = "onvif://www.onvif.org/"
_RECORDER_WORDS = ("nvr", "dvr", "xvr", "hvr", "recorder", "video_storage", "videostorage")


class Answerer(NamedTuple):
    """A device that answered; `name` is what it calls itself, `records`: it says it records."""

    host: str
    http_port: int
    name: str
    records: bool


def discover(
    clock: Clock,
    *,
    interfaces: Sequence[str] = (),
    target: tuple[str, int] = GROUP,
    seconds: float = SECONDS,
) -> list[Answerer]:
    """Ask everybody and listen so long. Raises OSError.

    `interfaces` are addresses of ours: cameras are often on a network without a way out, so that
    the system's own choice would be another one.
    """
    found: dict[tuple[str, int], Answerer] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("", 0))
        # A school's cameras all answer at once; the system gives as much of it as it may.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        _send(line, interfaces, target)
        for data, sender in _datagrams(line, clock, clock.monotonic() + seconds):
            answerer = read_answer(data, sender)
            if answerer is not None and len(found) < MOST_DEVICES:
                found.setdefault((answerer.host, answerer.http_port), answerer)
    return sorted(found.values(), key=lambda one: (socket.inet_aton(one.host), one.http_port))


def own_addresses() -> list[str]:
    """Return our IPv4 addresses, one of each network that is up; not loopback."""
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    return [
        one.address
        for name, addresses in psutil.net_if_addrs().items()
        for one in addresses
        if name in up
        and one.family == socket.AF_INET
        and not ipaddress.IPv4Address(one.address).is_loopback
    ]


def _send(line: socket.socket, interfaces: Sequence[str], target: tuple[str, int]) -> None:
    """Send the probe on each interface; one that is down is no matter. Raises OSError."""
    sent, refused = False, OSError()
    for interface in interfaces or ("0.0.0.0",):  # noqa: S104 - the system's own choice, to send by
        try:
            given = socket.inet_aton(interface)
            line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, given)
            # Twice: a datagram may be lost, and who answers twice counts once.
            for _ in range(2):
                line.sendto(_probe(), target)
            sent = True
        except OSError as error:
            refused = error
    if not sent:
        raise refused


def read_answer(data: bytes, sender: str) -> Answerer | None:
    """Read one datagram; None where it is no answer of an ONVIF device.

    Its address is who sent it, whatever it says of itself: a login must not be led elsewhere.
    """
    root = parse(data)
    matches = [] if root is None else children(root, "ProbeMatch")
    if not matches:
        return None
    match = matches[0]
    scopes = [unquote(one) for one in (text(match, "Scopes") or "").split()]
    types = text(match, "Types") or ""
    if not any(one.startswith(_SCOPE) for one in scopes) and "NetworkVideo" not in types:
        return None
    told = " ".join(
        one.removeprefix(f"{_SCOPE}{kind}/")
        for kind in ("name", "hardware")
        for one in scopes
        if one.startswith(f"{_SCOPE}{kind}/")
    )
    claims = " ".join([told, types, *(one for one in scopes if "/type/" in one)]).lower()
    records = any(word in claims for word in _RECORDER_WORDS)
    return Answerer(sender, _http_port(match, sender), told[:NAME_LETTERS], records)


def _http_port(match: Element, sender: str) -> int:
    """Return the port of the address that is the sender's own, else of the first, else 80."""
    ports: list[int] = []
    for address in (text(match, "XAddrs") or "").split()[:16]:
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            continue
        if parts.scheme != "http":
            continue
        if host == sender:
            return port
        ports.append(port)
    return ports[0] if ports else 80


def _datagrams(line: socket.socket, clock: Clock, until: float) -> Iterator[tuple[bytes, str]]:
    for _ in range(MOST_ANSWERS):
        left = until - clock.monotonic()
        if left <= 0:
            return
        line.settimeout(left)
        # An ICMP refusal comes as an error of the next call.
        with contextlib.suppress(ConnectionError):
            try:
                data, (host, _) = line.recvfrom(DATAGRAM_BYTES)
            except TimeoutError:
                return
            yield data, host


def _probe() -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
        ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
        f"<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID>"
        '<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>'
        '<a:Action s:mustUnderstand="1">'
        "http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action></s:Header><s:Body>"
        "<d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe>"
        "</s:Body></s:Envelope>"
    ).encode()
