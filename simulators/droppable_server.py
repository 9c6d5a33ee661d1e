"""An HTTP server whose power can be cut while clients are connected."""

import contextlib
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from weakref import WeakSet


class DroppableServer(ThreadingHTTPServer):
    """Serves on threads of its own and can cut every connection at once."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._clients: WeakSet[socket.socket] = WeakSet()

    def get_request(self) -> tuple[socket.socket, object]:
        """Remember who is connected, so that a power cut reaches them."""
        client, address = super().get_request()
        self._clients.add(client)
        return client, address

    def drop_clients(self) -> None:
        """Cut every connection."""
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news here."""
