"""The county's duty desk: acknowledges alarms with a signature of its own making.

The form of a signed command is that of docs/alarm.md, "Signed commands".
"""

import base64
import json
import uuid
from datetime import UTC, datetime

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from simulators.county import County

CONTEXT = b"campus-agent command v1\n"
HEARD_WITHIN_SECONDS = 10.0


class DutyDesk:
    """Knows one key; `public` is what a site's file says of it."""

    key_id = "duty-desk"

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        raw = self._key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        self.public = base64.b64encode(raw).decode()

    def acknowledge(self, county: County) -> None:
        """Acknowledge the incident of the first press that was heard, or raise TimeoutError."""
        press = county.wait_for(
            lambda heard: heard.kind == "event/alarm" and heard.body["data"]["what"] == "press",
            HEARD_WITHIN_SECONDS,
        )
        county_id, site_id = press.topic.split("/")[2:4]
        command = {
            "specversion": "1.0",
            "type": "campus.command.ack.v1",
            "id": str(uuid.uuid4()),
            "county": county_id,
            "site": site_id,
            "time": datetime.now(UTC).isoformat(),
            "data": {
                "incident": press.body["data"]["incident"],
                "epoch": press.body["epoch"],
            },
        }
        county.publish(f"cmd/v1/{county_id}/{site_id}/ack", self.signed(command))

    def signed(self, command: object) -> bytes:
        """Return the payload that carries a command."""
        text = json.dumps(command)
        signature = self._key.sign(CONTEXT + text.encode())
        envelope = {
            "signed": text,
            "key": self.key_id,
            "signature": base64.b64encode(signature).decode(),
        }
        return json.dumps(envelope).encode()
