"""Judges of histories: each answers the violations of one promise, in words. Pure, and tested as such.

The journal in PostgreSQL is the measure of what there was to see; the rows are the measure of what was kept.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

from tests.faults.history import Operation, Outcome, Stretch, Told, Written

REPLAY_ENTRIES = 500
"""The most that a replay holds, after collapsing: protocol.md, "Watching"."""
GOODBYES = ("post:hidden", "post:deleted", "comment:deleted")
"""Events that say that something is gone."""


def lost_writes(creations: Iterable[Operation], stored: Collection[str]) -> list[str]:
    """Whatever was acknowledged is stored; whatever was refused, or asked of nobody, is not.

    `stored` are the subjects as often as they are there.
    """
    found = Counter(stored)
    asked: dict[str, set[Outcome]] = defaultdict(set)
    for each in creations:
        asked[each.subject].add(each.outcome)
    violations = []
    for subject, outcomes in asked.items():
        if Outcome.OK in outcomes and not found[subject]:
            violations.append(f"{subject} was acknowledged and is not stored")
        if outcomes == {Outcome.FAIL} and found[subject]:
            violations.append(f"{subject} was refused and is stored")
    violations += [f"{subject} is stored {n} times" for subject, n in found.items() if n > 1]
    violations += [f"{subject} is stored and nobody wrote it" for subject in found.keys() - asked]
    return violations


def wrong_members(
    changes: Iterable[Operation],
    stored: Collection[tuple[str, str]],
    *,
    joins: str,
    leaves: str,
) -> list[str]:
    """A set (likes, follows) holds whom the commands of each, one after another, leave in it.

    Of one who sent them one at a time: the last one that was acknowledged decides, unless one of unknown end
    came after it. Members are (who, subject).
    """
    possible: dict[tuple[str, str], set[bool]] = defaultdict(lambda: {False})
    for each in changes:
        member = (each.who, each.subject)
        if each.what not in (joins, leaves) or each.outcome is Outcome.FAIL:
            continue
        inside = each.what == joins
        possible[member] = {inside} | (
            possible[member] if each.outcome is Outcome.UNKNOWN else set()
        )
    members = set(stored)
    violations = [
        f"{who} {'is' if (who, subject) in members else 'is not'} in {subject}, against what was acknowledged"
        for (who, subject), allowed in possible.items()
        if ((who, subject) in members) not in allowed
    ]
    violations += [
        f"{who} is in {subject}, and never asked for it"
        for who, subject in members - possible.keys()
    ]
    if len(members) != len(stored):
        violations.append(f"{len(stored) - len(members)} members are stored twice")
    return violations


def outside_of_attempts(
    commands: Iterable[Operation], stored: Collection[tuple[str, str]]
) -> list[str]:
    """acknowledged ⊆ stored ⊆ attempted, of commands that only ever join."""
    members, attempted = set(stored), set()
    violations = []
    for each in commands:
        member = (each.who, each.subject)
        attempted.add(member)
        if each.outcome is Outcome.OK and member not in members:
            violations.append(f"{member} was acknowledged and is not stored")
    violations += [f"{member} is stored and was not asked for" for member in members - attempted]
    if len(members) != len(stored):
        violations.append(f"{len(stored) - len(members)} are stored twice")
    return violations


def holes(journal: Sequence[Written]) -> list[str]:
    """`seq` is dense in the journal."""
    return [
        f"entry {place} of the journal has seq {entry.seq}"
        for place, entry in enumerate(journal, 1)
        if entry.seq != place
    ]


def missed(screen: Sequence[Stretch], journal: Sequence[Written]) -> list[str]:
    """A screen heard each entry once, in order, up to the head; but for states that it heard newer ones of.

    Where it could not be recovered there were too many entries to replay.
    """
    violations = []
    for at, stretch in enumerate(screen):
        violations += _wrong_start(stretch, journal)
        whole = at == len(screen) - 1
        violations += _wrong_stretch(stretch, journal, whole=whole)
    return violations


def _wrong_start(stretch: Stretch, journal: Sequence[Written]) -> list[str]:
    if stretch.asked is None:
        return []
    between = [each for each in journal if stretch.asked < each.seq <= stretch.start]
    kept = len({each.key for each in between if each.key}) + sum(not each.key for each in between)
    if kept > REPLAY_ENTRIES:
        return []
    return [f"not recovered from {stretch.asked}, though {kept} entries would have done"]


def _wrong_stretch(stretch: Stretch, journal: Sequence[Written], *, whole: bool) -> list[str]:
    violations, last = [], stretch.start
    for heard in stretch.heard:
        if heard.seq == last:
            violations.append(f"{heard.seq} came twice")
        elif heard.seq < last:
            violations.append(f"{heard.seq} came after {last}")
        last = max(last, heard.seq)
    seqs = {heard.seq for heard in stretch.heard}
    newest: dict[str | None, int] = {}
    for entry in journal:
        if entry.seq in seqs:
            newest[entry.key] = entry.seq
    violations += [f"{seq} is not in the journal" for seq in seqs - {each.seq for each in journal}]
    end = len(journal) if whole else bisect_right([each.seq for each in journal], last)
    violations += [
        f"{entry.seq} ({entry.type}) never came"
        for entry in journal[:end]
        if entry.seq > stretch.start
        and entry.seq not in seqs
        and (entry.key is None or newest.get(entry.key, 0) < entry.seq)
    ]
    return violations


def delays(
    screen: Sequence[Stretch],
    journal: Sequence[Written],
    of: Callable[[Written], bool] = lambda entry: True,
) -> list[float]:
    """How many seconds after it was written each of these entries reached the screen."""
    written = {entry.seq: entry.at for entry in journal if of(entry)}
    return [
        heard.at - written[heard.seq]
        for stretch in screen
        for heard in stretch.heard
        if heard.seq in written
    ]


def late(
    screen: Sequence[Stretch],
    journal: Sequence[Written],
    seconds: float,
    of: Callable[[Written], bool] = lambda entry: True,
) -> list[str]:
    """Entries reached the screen within so many seconds after they were written."""
    return [
        f"something came {delay:.2f} s after it was written"
        for delay in delays(screen, journal, of)
        if delay > seconds
    ]


def going_back(screen: Sequence[Stretch], names: Collection[str]) -> list[str]:
    """A count that only grows is never seen to shrink."""
    violations, highest = [], 0
    for stretch in screen:
        for heard in stretch.heard:
            if heard.name not in names or heard.count is None:
                continue
            if heard.count < highest:
                violations.append(f"after {highest} the screen showed {heard.count}")
            highest = max(highest, heard.count)
    return violations


def slow(operations: Iterable[Operation], seconds: float) -> list[str]:
    """Each command was answered, whatever the answer, within so many seconds."""
    return [
        f"{each.what} by {each.who}: "
        + ("no answer" if each.seconds is None else f"answered after {each.seconds:.2f} s")
        for each in operations
        if each.seconds is None or each.seconds > seconds
    ]


def failed(operations: Iterable[Operation]) -> list[str]:
    """Each command was acknowledged."""
    return [
        f"{each.what} by {each.who}: {each.code or each.outcome.value}"
        for each in operations
        if each.outcome is not Outcome.OK
    ]


def out_of_order(sent: Sequence[bool], told: Sequence[bool], stored: bool) -> list[str]:
    """Of one client's burst of setting and unsetting, each answer tells its own command, and the last stays."""
    violations = [
        f"command {at} asked for {asked} and was told {answered}"
        for at, (asked, answered) in enumerate(zip(sent, told, strict=True), 1)
        if asked != answered
    ]
    if sent and stored != sent[-1]:
        violations.append(f"the last command asked for {sent[-1]}, and {stored} is stored")
    return violations


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def busiest(counts: Sequence[tuple[float, int]], seconds: float) -> int:
    """By how much a count grew at the most in any stretch so long; `counts` are (time, count so far).

    A stretch begins and ends where it was counted, so that it is that long or a little longer.
    """
    times = [time for time, _ in counts]
    most = 0
    for begin, count in counts:
        end = min(bisect_left(times, begin + seconds), len(counts) - 1)
        most = max(most, counts[end][1] - count)
    return most


def unequal(what: str, are: Mapping[str, int], should: Mapping[str, int]) -> list[str]:
    """Two counts of the same things are the same."""
    return [
        f"{what} {key}: {are.get(key)} where {should.get(key)} is right"
        for key in sorted(are.keys() | should.keys())
        if are.get(key) != should.get(key)
    ]


def told_late(told: Iterable[Told], what: str, gone_at: datetime, *, crossing: float) -> list[str]:
    """What was told of something that was gone, in the order in which it was heard.

    What stands in no journal may cross with the news on its way from one node to the other, though for `crossing`
    seconds only, and to nobody who has that news.
    """
    violations = []
    parted = set()
    for each in told:
        if what not in each.data:
            continue
        if each.name in GOODBYES:
            parted.add(each.who)
            continue
        seconds = (each.at - gone_at).total_seconds()
        if seconds > (0 if each.in_journal else crossing) or each.who in parted:
            violations.append(f"{each.name} told of {what} {seconds:.3f} s after it was gone")
    return violations
