"""Kills at random moments lose no annotation, leave no round stuck and no half-written bundle behind.

`pytest -m chaos --kills 100 --chaos-seed 7`; a few kills without.
"""

import random
import sys

import pytest

from tests.chaos.chaos import chaos


@pytest.mark.chaos
@pytest.mark.slow
def test_kills_at_random_moments_break_no_promise(request: pytest.FixtureRequest) -> None:
    kills = request.config.getoption("--kills")
    given = request.config.getoption("--chaos-seed")
    seed = random.randrange(1_000_000) if given is None else given
    print(f"chaos: {kills} kills, seed {seed}", file=sys.stderr)
    result = chaos(kills, seed)
    assert result["breaches"] == [], f"seed {seed}: {result}"
    assert result["kills"] == kills
    assert result["rounds"]["succeeded"] >= 1 and result["changes_confirmed"] > 0, result
