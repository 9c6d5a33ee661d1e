"""What the running agent knows, as `status` is answered: every state, the site, its county link."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from agent.county.contract import utc
from agent.county.link import Link
from agent.settings import Identity
from agent.states import StateBoard
from agent.store.outbox import Outbox

# A disk that hangs is a thing to show, so it must not keep the answer.
COUNT_SECONDS = 1.0


def overview(
    board: StateBoard, site: Identity, link: Link, streams: Mapping[str, Outbox]
) -> dict[str, Any]:
    """Return all of it as JSON; a `backlog` that the disk does not tell in time is None."""
    asked = {name: stream.backlog() for name, stream in streams.items()}
    return {
        "site": site.model_dump(mode="json"),
        "link": link.model_dump(mode="json"),
        "backlog": {name: _counted(future) for name, future in asked.items()},
        "states": [
            {
                "kind": state.data.kind,
                "id": state.id,
                "since": utc(board.since(state)),
                "data": state.data.model_dump(mode="json"),
            }
            for state in board.newest()
        ],
    }


def _counted(future: "Future[int]") -> int | None:
    try:
        return future.result(COUNT_SECONDS)
    except Exception:  # noqa: BLE001 - late or broken, whatever the disk did: the rest is told
        return None
