"""A report is made once by each user, and settled once by one moderator."""

import asyncio

import msgspec

from store.database import Database
from store.gallery.reports import NewReport
from store.gallery.shapes import Report
from store.ids import new_id
from store.journal import Entry
from store.refusal import Refusal
from tests.store.people import People
from tests.store.refused import refused


async def test_a_report_waits_for_a_moderator(people: People) -> None:
    """It says who found what wrong with which post, and nobody has looked at it."""
    ada, ben = await people.crowd("Ada", "Ben")
    post = await ada.shares()
    new = NewReport(new_id(), post.id, ben.viewer, "copyright", "My fox.")
    await people.gallery.reports.make(new)
    (report, *_) = (await people.gallery.reports.page("pending")).items
    assert report == Report(
        id=new.id,
        post_id=post.id,
        reporter=ben.summary,
        reason="copyright",
        details="My fox.",
        status="pending",
        reviewed_by=None,
        reviewed_at=None,
        created_at=report.created_at,
    )


async def test_nobody_reports_a_post_twice(people: People) -> None:
    """Not at the same moment either; others may, and so may its author."""
    ada, ben, cem = await people.crowd("Ada", "Ben", "Cem")
    post = await ada.shares()
    answers = await asyncio.gather(*(ben.reports(post) for _ in range(5)), return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, Refusal)]
    assert [refusal.code for refusal in refusals] == ["COMMUNITY_ALREADY_REPORTED"] * 4
    assert len(answers) == 5
    with refused("COMMUNITY_ALREADY_REPORTED", post_id=post.id):
        await ben.reports(post, "other")
    await cem.reports(post)
    await ada.reports(post)


async def test_the_same_report_again_is_the_first_one(people: People) -> None:
    """Also at the same moment; the same id for something else, or from somebody else, conflicts."""
    ada, ben = await people.crowd("Ada", "Ben")
    post, other = await ada.shares(), await ada.shares()
    new = NewReport(new_id(), post.id, ben.viewer, "spam", "Look.")
    make = people.gallery.reports.make
    assert sorted(await asyncio.gather(*(make(new) for _ in range(5)))) == [*[False] * 4, True]
    for another in (
        msgspec.structs.replace(new, details=None),
        msgspec.structs.replace(new, post_id=other.id),
        msgspec.structs.replace(new, by=ada.viewer),
    ):
        with refused("IDEMPOTENCY_CONFLICT", id=new.id):
            await make(another)
    with refused("COMMUNITY_ALREADY_REPORTED", post_id=post.id):
        await make(msgspec.structs.replace(new, id=new_id()))


async def test_a_post_that_may_not_be_seen_is_not_reported(people: People) -> None:
    """It is as unknown as one that never was; its author and moderators may."""
    ada, ben = await people.crowd("Ada", "Ben")
    max_ = await people.person("Max", moderates=True)
    post = await ada.shares()
    await people.hide(post)
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=post.id):
        await ben.reports(post)
    await max_.reports(post)
    await ada.removes(post)
    with refused("COMMUNITY_POST_NOT_FOUND", post_id=post.id):
        await max_.reports(post)


async def test_two_moderators_review_one_report_at_the_same_moment(
    people: People, database: Database, published: list[Entry]
) -> None:
    """One wins; for the others it has been reviewed already, and nothing of theirs is done or noted."""
    ada, ben = await people.crowd("Ada", "Ben")
    moderators = [await people.person(name, moderates=True) for name in ("Max", "Mo", "Mia")]
    post = await ada.shares()
    report_id = await ben.reports(post)
    published.clear()
    answers = await asyncio.gather(
        moderators[0].reviews(report_id, "dismissed"),
        moderators[1].reviews(report_id, "actioned", hide_post=True),
        moderators[2].reviews(report_id, "reviewed", hide_post=True),
        return_exceptions=True,
    )
    (winner,) = [place for place, answer in enumerate(answers) if isinstance(answer, Report)]
    report = answers[winner]
    assert isinstance(report, Report)
    assert report.status == ("dismissed", "actioned", "reviewed")[winner]
    assert report.reviewed_by == moderators[winner].id
    assert report.reviewed_at is not None
    refusals = [answer for answer in answers if isinstance(answer, Refusal)]
    assert [(r.code, r.details) for r in refusals] == [
        ("COMMUNITY_REPORT_ALREADY_REVIEWED", {"report_id": report_id})
    ] * 2
    noted = await database.fetch(
        "select actor_id, action from moderation_log where subject_id = any ($1::uuid[]) "
        "order by created_at",
        [report_id, post.id],
    )
    assert {row["actor_id"] for row in noted} == {moderators[winner].id}
    assert [row["action"] for row in noted] == [report.status, "hidden"][: 1 + (winner > 0)]
    assert len(published) == (2 if winner else 0)
    assert (await ada.reads(post)).is_hidden is (winner > 0)


async def test_a_report_goes_with_its_post(people: People) -> None:
    """Whoever reviews it then finds none."""
    ada, ben = await people.crowd("Ada", "Ben")
    max_ = await people.person("Max", moderates=True)
    post = await ada.shares()
    report_id = await ben.reports(post)
    await ada.removes(post)
    for hide_post in (False, True):
        with refused("NOT_FOUND", report_id=report_id):
            await max_.reviews(report_id, hide_post=hide_post)


async def test_reviewing_while_the_post_is_deleted(people: People) -> None:
    """Each comes first now and then; there is no third way."""
    ada, *reporters = await people.crowd("Ada", *(f"Reporter {number}" for number in range(8)))
    max_ = await people.person("Max", moderates=True)
    for _ in range(3):
        post = await ada.shares()
        reports = [await reporter.reports(post) for reporter in reporters]
        answers = await asyncio.gather(
            *(
                max_.reviews(report, hide_post=place % 2 > 0)
                for place, report in enumerate(reports)
            ),
            ada.removes(post),
            return_exceptions=True,
        )
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        assert {error.code if isinstance(error, Refusal) else repr(error) for error in errors} <= {
            "NOT_FOUND"
        }


async def test_reports_are_listed_newest_first(people: People) -> None:
    """Of one status or of any; walking them by cursor shows each once."""
    ada, *reporters = await people.crowd("Ada", *(f"Reporter {number}" for number in range(5)))
    max_ = await people.person("Max", moderates=True)
    post = await ada.shares()
    made = [await reporter.reports(post) for reporter in reporters]
    made.reverse()
    await max_.reviews(made[1], "dismissed")
    await max_.reviews(made[3], "actioned")
    everything = await people.gallery.reports.page(None)
    assert [report.id for report in everything.items][:5] == made
    dismissed = await people.gallery.reports.page("dismissed")
    assert made[1] in [report.id for report in dismissed.items]
    assert {report.status for report in dismissed.items} == {"dismissed"}
    walked, cursor = [], None
    while True:
        page = await people.gallery.reports.page("pending", cursor=cursor, limit=2)
        walked += [report.id for report in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert [report for report in walked if report in made] == [made[0], made[2], made[4]]
    assert len(set(walked)) == len(walked) == page.total
    first = await people.gallery.reports.page("pending", limit=2)
    with refused("INVALID_CURSOR"):
        await people.gallery.reports.page("actioned", cursor=first.next_cursor)
