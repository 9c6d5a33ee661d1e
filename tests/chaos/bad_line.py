"""A TCP line between the agent and its broker that can be cut, stalled and made slow."""

import contextlib
import socket
import threading
import time

CHUNK_BYTES = 4096


class BadLine:
    """Forwards every connection to `to`; what it does to them is set at any time, by any thread."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.stalled = False  # bytes stay where they are, the connection stays up
        self.bytes_per_second = 0.0  # 0: as fast as they come
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection; bytes under way are lost."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def heal(self) -> None:
        """Be a good line again."""
        self.stalled, self.bytes_per_second = False, 0.0

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self.heal()
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to), 2)
            except OSError:
                if self._stopping.is_set():
                    return
                with contextlib.suppress(OSError, UnboundLocalError):
                    near.close()  # the broker is away: so is the line
                continue
            with self._lock:
                self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                while self.stalled:
                    time.sleep(0.02)
                if self.bytes_per_second:
                    time.sleep(len(data) / self.bytes_per_second)
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
