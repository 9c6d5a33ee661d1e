"""What a driver has learnt about one model and firmware, kept so that it is learnt once."""

from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict


class QuirkSheet(BaseModel):
    """Manners of one recorder; None: not learnt yet. Another firmware is learnt anew.

    `search_digits`: what the digits of a search mean, whatever the Z behind them says.
    `says_more`: it tells that a search has more pages, so that its silence means the end.
    """

    model_config = ConfigDict(frozen=True)

    maker: str
    model: str
    firmware: str
    search_dialect: Literal["A", "B", "C", "D"] | None = None
    search_digits: Literal["local", "utc"] | None = None
    says_more: bool | None = None
    looks_at_track: bool | None = None
    calendar: Literal["trusted", "distrusted"] | None = None
    channel_base: Literal[0, 1] | None = None
    signing: Literal["device", "agent"] | None = None

    def same_device(self, other: "QuirkSheet") -> bool:
        """Tell whether the other is of the same model and firmware."""
        return (self.maker, self.model, self.firmware) == (other.maker, other.model, other.firmware)


class QuirkStore(Protocol):
    """Keeps the sheet of one recorder."""

    def load(self) -> QuirkSheet | None:
        """Return what was saved; None when there is nothing, or nothing readable."""

    def save(self, sheet: QuirkSheet) -> None:
        """Keep `sheet`; best effort, what is lost is learnt again."""
