"""A port server: the device's end of a serial line that is reached over TCP."""

import contextlib
import select
import socket
import threading
from collections.abc import Callable


class TcpLine:
    """Same shape as PtyLine; one client at a time, on loopback; `url` is what an agent opens."""

    def __init__(self, on_bytes: Callable[[bytes], None]) -> None:
        self._on_bytes = on_bytes
        self._server = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._server.getsockname()[1]
        self._client: socket.socket | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._server.close()

    @property
    def url(self) -> str:
        """Return the pyserial URL."""
        return f"socket://127.0.0.1:{self._port}"

    def plug(self) -> None:
        """Begin to accept."""
        self._server = socket.create_server(("127.0.0.1", self._port))
        self._stop.clear()
        self._thread = threading.Thread(target=self._serve, name="sim-tcp", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Cut the connection and refuse the next."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=5)
        self._server.close()
        self._drop()

    def send(self, data: bytes) -> bool:
        """Send; return whether it went out."""
        with self._lock:
            if self._client is None:
                return False
            try:
                self._client.sendall(data)
            except OSError:
                return False
            return True

    def _serve(self) -> None:
        while not self._stop.is_set():
            client = self._client
            ready, _, _ = select.select([client or self._server], [], [], 0.05)
            if not ready:
                continue
            if client is None:
                self._client, _ = self._server.accept()
                continue
            try:
                data = client.recv(4096)
            except OSError:
                data = b""
            if data:
                self._on_bytes(data)
            else:
                self._drop()

    def _drop(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()
