"""Random archives on simulated recorders of all manners, surveyed over HTTP, against a count."""

from random import Random

import pytest

from simulators.truth import Truth as TruthLog
from tests.archives import truth
from tests.retention_trial import contradictions, is_tight, try_archive

SOME, MANY = 8, 2000


def tried(seed: int) -> tuple[list[str], bool]:
    trial = try_archive(Random(seed), TruthLog())
    try:
        state = trial.school.recording(1)
        wrong = contradictions(state, truth(trial.archive), trial.archive)
        return [f"{word}: seed {seed}, {trial.notes}" for word in wrong], is_tight(
            state, trial.archive.target
        )
    finally:
        trial.close()


def check(seeds: range) -> None:
    found = [tried(seed) for seed in seeds]
    assert [line for wrong, _ in found for line in wrong] == []
    assert sum(tight for _, tight in found) >= 0.95 * len(seeds)


def test_what_a_school_is_told_of_some_archives_is_true_and_leaves_nothing_open() -> None:
    check(range(SOME))


@pytest.mark.deep
def test_what_a_school_is_told_of_many_archives_is_true_and_leaves_nothing_open() -> None:
    check(range(SOME, SOME + MANY))
