"""Who follows the journal from a position of its own misses nothing: P19."""

from pathlib import Path

from tests.consuming import Trial, by_command, by_program
from tests.faults.budget import BUDGET
from tests.faults.place import Place
from tests.faults.promise import Promise


async def test_p19_a_consumer_misses_nothing(
    place: Place, promise: Promise, tmp_path: Path
) -> None:
    """A consumer that is killed at random gets every entry at least once, each topic in order.

    Once as `vernissage consume` with a program, once as a program of its own. (With the ids of transactions for
    turns, as the journal has them in `xid`, entries came before those that they follow. When the position was
    moved before the program had taken a batch, entries never came.)
    """
    url = place.servers.postgres.url
    environ = place.stations[0].installation.environment()
    for name, command in (
        ("consume --exec", by_command({**environ, "DATABASE_URL": url})),
        ("program", by_program(url)),
    ):
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        trial = Trial(url, folder, command)
        await trial.runs(BUDGET.kills)
        promise.faults[f"SIGKILL of {name}"] += trial.kills
        promise.judge(len(trial.received), trial.violations)
        promise.worst(f"again, {name}", trial.duplicates)
        await place.fetch("delete from consumers")
    promise.is_kept()
