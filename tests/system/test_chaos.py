"""Everything that can go wrong, once; the long form is `make chaos`."""

from pathlib import Path

import pytest

from tests.chaos.trial import chaos


@pytest.mark.deep
@pytest.mark.timeout(300)
def test_nothing_is_missing_after_chaos(tmp_path: Path) -> None:
    tally = chaos(tmp_path, seconds=0, seed=7, say=lambda _: None)
    assert tally.presses_committed > 50
    assert tally.events_committed > 100
    assert tally.events_dropped > 0
    assert tally.sound, tally
