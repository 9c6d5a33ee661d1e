"""A worker process: hostile bytes are decoded here, where a crash costs little.

Run as `python -m drivers.stream_worker` by drivers.stream_workers, which speaks to it in JSON
behind a four-byte length, over its standard input and output. Figures go back, pictures never.
"""

import base64
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from drivers.readings import (
    Outage,
    PictureReading,
    Reading,
    Reason,
    StreamFault,
    StreamLayer,
    StreamReading,
    Unknown,
)
from drivers.stream_target import PlaybackTarget, SnapshotTarget, StreamTarget

if TYPE_CHECKING:
    from drivers.picture_check import PictureCheck

# A worker that computes all the time reads its sockets late.
SATURATED_SHARE = 0.9
WORKER_NICENESS = 5  # the alarm poll comes first
MAX_MESSAGE_BYTES = 4_000_000  # a JPEG of two megabytes in base64
MAX_WORKER_BYTES = 2 << 30  # of address space; four probes at 1080p take about 0.7 GB


def write_message(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Write one message: JSON behind its length."""
    body = json.dumps(message).encode()
    stream.write(len(body).to_bytes(4, "big") + body)
    stream.flush()


def read_message(stream: IO[bytes]) -> dict[str, Any] | None:
    """Read one message; None at the end. Raises ValueError on nonsense."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    if size > MAX_MESSAGE_BYTES:
        raise ValueError("message too large")
    body = stream.read(size)
    message: dict[str, Any] = json.loads(body)
    return message


class _WorkerClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


# Imported in the worker alone: the agent's own process never loads a decoder.
def _play_back(fields: dict[str, Any]) -> list[Reading]:
    from drivers.playback import play_back  # noqa: PLC0415 - in the worker alone

    return [play_back(PlaybackTarget.model_validate(fields), _WorkerClock())]


def _probe(check: "PictureCheck", fields: dict[str, Any]) -> list[Reading]:
    from drivers.stream import probe_stream  # noqa: PLC0415 - in the worker alone

    target = StreamTarget.model_validate(fields)
    busy, began = time.process_time(), time.monotonic()
    reading, picture, _, earlier = probe_stream(target, _WorkerClock())
    if time.process_time() - busy > SATURATED_SHARE * (time.monotonic() - began):
        late = Unknown(reason=Reason.BUSY, detail="the worker computed all the time")
        reading = reading.model_copy(update={"fps": late, "bitrate_kbps": late})
    if picture is None:
        return [reading]
    measured = check.fields(target, picture, earlier)
    return [
        PictureReading(device_id=reading.device_id, observed_at=reading.observed_at, **measured),
        reading,
    ]


def _look(check: "PictureCheck", fields: dict[str, Any]) -> list[Reading]:
    from drivers.picture_snapshot import decode_jpeg, jpeg_size  # noqa: PLC0415 - as above

    target = SnapshotTarget.model_validate(fields)
    body, now = base64.b64decode(target.jpeg), datetime.now(UTC)
    picture, size = decode_jpeg(body), jpeg_size(body)
    nothing = Unknown(reason=Reason.NOT_MEASURED, detail="a single picture")
    reading = StreamReading(
        device_id=target.device_id,
        observed_at=now,
        layer=StreamLayer.AUTH if picture is None else StreamLayer.SNAPSHOT,
        fault=StreamFault.MALFORMED if picture is None else None,
        codec="mjpeg",
        width=nothing if size is None else size[0],
        height=nothing if size is None else size[1],
        fps=nothing,
        bitrate_kbps=nothing,
        gop_frames=nothing,
        open_seconds=nothing,
        detail="the picture does not decode" if picture is None else "",
    )
    if picture is None:
        return [reading]
    measured = check.fields(target, picture)
    return [PictureReading(device_id=target.device_id, observed_at=now, **measured), reading]


def main() -> None:
    """Serve probes from standard input until it closes."""
    import cv2  # noqa: PLC0415 - in the worker alone

    from drivers.picture_check import PictureCheck  # noqa: PLC0415 - as above

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(WORKER_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_WORKER_BYTES, MAX_WORKER_BYTES))
    # The answers' pipe is for answers: whatever a C library prints goes nowhere.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    lock, check = threading.Lock(), PictureCheck()
    tasks: dict[str, Callable[[dict[str, Any]], list[Reading]]] = {
        "probe": partial(_probe, check),
        "snapshot": partial(_look, check),
        "playback": _play_back,
    }

    def serve(number: int, task: str, fields: dict[str, Any]) -> None:
        try:
            readings = tasks[task](fields)
        except Exception as error:  # noqa: BLE001 - one probe's surprise is not the next one's
            detail = f"the check failed: {type(error).__name__}"  # its text may hold the login
            now = datetime.now(UTC)
            outage = Outage(
                device_id=fields["device_id"],
                observed_at=now,
                reason=Reason.INTERNAL,
                detail=detail,
            )
            readings = [outage]
        with lock:
            write_message(
                answers,
                {"id": number, "readings": [one.model_dump(mode="json") for one in readings]},
            )

    while (message := read_message(sys.stdin.buffer)) is not None:
        task = (message["id"], message["task"], message["target"])
        threading.Thread(target=serve, args=task).start()
    os._exit(0)  # a hung probe must not hold a worker whose parent has gone


if __name__ == "__main__":
    main()
