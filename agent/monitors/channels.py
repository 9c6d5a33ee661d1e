"""What a recorder's word for one of its channels means. Vocabularies of public client code."""

from agent.findings import Cause, missing
from agent.policy import Channel
from drivers.readings import ChannelReading, Reason, Unknown

# chanDetectResult is not stable between firmwares: a word that is not here is no opinion.
_FAULTS = {
    "notexist": "channel.no_camera",
    "disconnect": "channel.network",
    "disconnected": "channel.network",
    "neterror": "channel.network",
    "networkerror": "channel.network",
    "netunreachable": "channel.network",
    "ipconflict": "channel.ip_conflict",
    "ipaddressconflict": "channel.ip_conflict",
    "userpwerror": "channel.wrong_camera_password",
    "passworderror": "channel.wrong_camera_password",
    "userlocked": "channel.camera_login_locked",
    "streamlimit": "channel.too_many_streams",
    "maxconnect": "channel.too_many_streams",
    "unsupported": "channel.camera_unsupported",
    "notsupport": "channel.camera_unsupported",
}


def channel_cause(channel: Channel, reading: ChannelReading) -> Cause | None:
    """Name what is wrong with a channel by the recorder's own word; None: nothing it knows of."""
    word = reading.condition if isinstance(reading.condition, str) else ""
    params: dict[str, str | int | float] = {"channel": channel.id, "number": channel.number}
    if isinstance(reading.online, Unknown):
        if reading.online.reason is Reason.INCONSISTENT:
            return Cause(code="channel.not_listed", params=params)
        return missing(reading.online)
    code = _FAULTS.get(word)
    if code is not None:
        return Cause(code=code, params={**params, "condition": word})
    if not reading.online:
        return Cause(code="channel.offline", params={**params, "condition": word})
    return None
