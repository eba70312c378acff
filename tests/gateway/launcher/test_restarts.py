"""When the next worker begins after one has died."""

from gateway.launcher.restarts import LONGEST_PAUSE, STEADY_SECONDS, Restarts


def test_the_first_death_costs_nothing() -> None:
    """However short its life was."""
    assert Restarts().pause(0.0) == 0.0


def test_whoever_dies_again_soon_waits_longer_each_time() -> None:
    """Twice as long, up to a bound."""
    restarts = Restarts()
    pauses = [restarts.pause(0.1) for _ in range(10)]
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert LONGEST_PAUSE == 30.0
    for _ in range(10_000):
        assert restarts.pause(0.0) == LONGEST_PAUSE


def test_a_long_life_is_forgiven() -> None:
    """After it everything is as at the beginning."""
    restarts = Restarts()
    for _ in range(5):
        restarts.pause(0.1)
    assert restarts.pause(STEADY_SECONDS) == 0.0
    assert restarts.pause(0.1) == 0.5
