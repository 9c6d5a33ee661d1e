"""One input of a simulated recorder, as its streams show it, and everything that can go wrong."""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from simulators.truth import Truth
from simulators.video import Codec

Stage = Literal["request", "describe", "play"]


@dataclass
class Faults:
    """What is wrong with a channel; everything off is a healthy one."""

    refusal: int = 0
    silent_after: Stage | None = None
    stalled: bool = False
    garbled: bool = False
    without_key_frames: bool = False
    end_after_frames: int | None = None
    every: int = 1
    clock_step: int | None = None
    corrupt: bool = False
    basic: bool = False
    # Of playback: days that are listed and do not play, and how; answering with the live picture,
    # or with another time than was asked for; no right to play back.
    spoilt: dict[date, Literal["refused", "silent"]] = field(default_factory=dict)
    returns_live: bool = False
    late_seconds: float = 0.0
    forbids_playback: bool = False
    mute_teardown: bool = False


class SimulatedChannel:
    """One input of the recorder; its switches work at once, on its main and its sub stream."""

    def __init__(self, number: int, truth: Truth, scene: str) -> None:
        self.number = number
        self.scene = scene
        self.faults = Faults()
        self.codec: Codec = "h264"
        self._truth = truth

    def set_codec(self, codec: Codec) -> None:
        """Code from now on in this."""
        self.codec = codec
        self._note("codec", codec=codec)

    def set_scene(self, scene: str) -> None:
        """Look at something else from now on."""
        self.scene = scene
        self._note("scene", scene=scene)

    def refuse(self, status: int) -> None:
        """Answer DESCRIBE with 404, 453, 503 or another status."""
        self.faults.refusal = status
        self._note("refuse", status=status)

    def refuse_logins(self) -> None:
        """Refuse every login, right or wrong."""
        self.refuse(401)

    def silence(self, after: Stage) -> None:
        """Go silent after the first request was read, after DESCRIBE, or after PLAY."""
        self.faults.silent_after = after
        self._note("silence", after=after)

    def stall(self) -> None:
        """Stop sending pictures and hold the connections."""
        self.faults.stalled = True
        self._note("stall")

    def resume(self) -> None:
        """Send pictures again."""
        self.faults.stalled = False
        self._note("resume")

    def garble(self) -> None:
        """Answer in something that is not RTSP."""
        self.faults.garbled = True
        self._note("garble")

    def drop_key_frames(self) -> None:
        """Send only frames that cannot be shown on their own."""
        self.faults.without_key_frames = True
        self._note("drop_key_frames")

    def end_early(self, frames: int) -> None:
        """Hang up after that many frames of each session."""
        self.faults.end_after_frames = frames
        self._note("end_early", frames=frames)

    def send_every(self, nth: int) -> None:
        """Send every nth frame only: a lower frame rate."""
        self.faults.every = nth
        self._note("send_every", nth=nth)

    def break_clock(self, step: int) -> None:
        """Stamp frames with a wrong clock: `step` 0 stands, a large one leaps with every frame."""
        self.faults.clock_step = step
        self._note("break_clock", step=step)

    def corrupt(self) -> None:
        """Damage the coded pictures on their way."""
        self.faults.corrupt = True
        self._note("corrupt")

    def ask_in_the_clear(self) -> None:
        """Ask for Basic logins, as a cheap camera or somebody in between would."""
        self.faults.basic = True
        self._note("ask_in_the_clear")

    def spoil(self, day: date, how: Literal["refused", "silent"] = "refused") -> None:
        """List a day and do not play it: refuse, or accept and send nothing."""
        self.faults.spoilt[day] = how
        self._note("spoil", day=day.isoformat(), how=how)

    def play_live(self) -> None:
        """Answer whoever asks for a recording with the live picture."""
        self.faults.returns_live = True
        self._note("play_live")

    def play_late(self, seconds: float) -> None:
        """Play what was recorded so much later than was asked for."""
        self.faults.late_seconds = seconds
        self._note("play_late", seconds=seconds)

    def forbid_playback(self) -> None:
        """Let this account see the live picture only."""
        self.faults.forbids_playback = True
        self._note("forbid_playback")

    def hang_up_on_teardown(self) -> None:
        """End without a word when a session is ended."""
        self.faults.mute_teardown = True
        self._note("hang_up_on_teardown")

    def restore(self) -> None:
        """Undo every fault; the scene stays."""
        self.faults = Faults()
        self._note("restore")

    def _note(self, what: str, **data: object) -> None:
        self._truth.record(f"channel-{self.number}", what, **data)
