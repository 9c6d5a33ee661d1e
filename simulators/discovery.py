"""Devices that answer a WS-Discovery probe, by unicast on loopback; also such as mean harm."""

import re
import socket
import threading
from collections.abc import Sequence
from xml.sax.saxutils import escape

from simulators.truth import Truth

_ONVIF = "onvif://www.onvif.org"
_MESSAGE = re.compile(rb"MessageID>\s*([^<\s]+)")


class DiscoverySimulator:
    """Answers a probe with one datagram for each entry of `answers`."""

    def __init__(self, truth: Truth, answers: Sequence[bytes] = ()) -> None:
        self.answers = list(answers)
        self._truth = truth
        self._line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._line.bind(("127.0.0.1", 0))
        self._line.settimeout(0.1)
        self.port = int(self._line.getsockname()[1])
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="sim-discovery", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """Be gone."""
        self._gone.set()
        self._thread.join(5)
        self._line.close()

    def _listen(self) -> None:
        while not self._gone.is_set():
            try:
                asked, sender = self._line.recvfrom(65_535)
            except TimeoutError:
                continue
            self._truth.record("discovery", "probe", size=len(asked))
            message = _MESSAGE.search(asked)
            relates = b"" if message is None else message[1]
            for answer in self.answers:
                self._line.sendto(answer.replace(b"@RELATES@", relates), sender)


def probe_match(
    addresses: Sequence[str], *, name: str, hardware: str = "", kind: str = "video_encoder"
) -> bytes:
    """Write what a device answers (WS-Discovery 5.3, ONVIF Core 7.3.2.2)."""
    scopes = [f"{_ONVIF}/type/{kind}", f"{_ONVIF}/name/{name}", f"{_ONVIF}/hardware/{hardware}"]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
        ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><SOAP-ENV:Header>'
        "<wsa:RelatesTo>@RELATES@</wsa:RelatesTo></SOAP-ENV:Header><SOAP-ENV:Body>"
        "<d:ProbeMatches><d:ProbeMatch><wsa:EndpointReference>"
        "<wsa:Address>urn:uuid:0000</wsa:Address></wsa:EndpointReference>"
        "<d:Types>dn:NetworkVideoTransmitter</d:Types>"
        f"<d:Scopes>{escape(' '.join(scopes))}</d:Scopes>"
        f"<d:XAddrs>{escape(' '.join(addresses))}</d:XAddrs>"
        "<d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>"
        "</SOAP-ENV:Body></SOAP-ENV:Envelope>"
    ).encode()
