"""The panel's server: two addresses on 127.0.0.1, GET alone, and nothing that changes anything."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from agent.panel.page import page, policy
from agent.panel.view import Screen

HOST = "127.0.0.1"
# A browser that says nothing more keeps a thread no longer than this.
REQUEST_SECONDS = 10.0
# Several screens, and a page that is opened again and again.
AT_ONCE = 8


class PanelServer(ThreadingHTTPServer):
    """Serves one screen; `body` gives the page's body anew for every request."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, screen: Screen, body: Callable[[], str]) -> None:
        """Raises OSError when the port cannot be had."""
        self.screen, self.body = screen, body
        self.room = threading.BoundedSemaphore(AT_ONCE)
        super().__init__((HOST, port), _Handler)

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: PanelServer
    timeout = REQUEST_SECONDS
    server_version, sys_version = "campus-agent", ""

    def do_GET(self) -> None:
        """Answer one request."""
        names = {f"{name}:{self.server.port}" for name in (HOST, "localhost")}
        if self.headers.get("Host", "") not in names:
            # A page from elsewhere, whose name was made to point here, must not read this one.
            self._send(403, "")
        elif self.path not in {"/", "/now"}:
            self._send(404, "")
        elif not self.server.room.acquire(blocking=False):
            self._send(503, "")
        else:
            try:
                body = self.server.body()
                self._send(200, body if self.path == "/now" else page(self.server.screen, body))
            finally:
                self.server.room.release()

    def _send(self, status: int, text: str) -> None:
        content = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", policy())
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is its base's
        """Keep the journal free of every look at the page."""
