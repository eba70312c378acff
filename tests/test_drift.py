"""What the gateway might one day do otherwise than its documents say is found."""

from typing import Any

import pytest

from tests.drift import Drift

Json = dict[str, Any]

POST = "0190c7a2-1111-7000-8000-000000000000"
LIKE = f"/api/v1/community/posts/{POST}/like"
LIKED: Json = {"post_id": POST, "liked": True, "changed": True, "like_count": 1, "seq": 1}
HEADERS = {"Content-Type": "application/json; charset=utf-8", "X-Request-Id": "1", "Date": "now"}
META: Json = {"topic": f"post:{POST}", "seq": 1, "at": "2026-11-21T09:30:00.123456Z"}
PROBLEM: Json = {
    "type": "about:blank",
    "title": "Conflict",
    "status": 409,
    "detail": "No.",
    "code": "COMMUNITY_ALREADY_REPORTED",
    "details": {},
    "request_id": "1",
}


@pytest.fixture
def drift() -> Drift:
    return Drift()


def test_what_is_as_documented_is_passed_over(drift: Drift) -> None:
    """Answers, refusals, acks, and events with their subject or without."""
    drift.answered("POST", LIKE, 200, HEADERS, LIKED)
    problem = {**PROBLEM, "status": 404, "code": "COMMUNITY_POST_NOT_FOUND"}
    kind = {**HEADERS, "Content-Type": "application/problem+json"}
    drift.answered("POST", LIKE, 404, kind, problem)
    drift.answered("GET", "/nothing", 404, kind, {**problem, "code": "NOT_FOUND"})
    drift.acked("post:like", {"post_id": POST}, {"data": LIKED})
    gone = {"post_id": POST, "comment_id": POST, "comment_count": 0}
    drift.told("comment:deleted", gone, META)
    drift.told("comment:deleted", None, META)
    assert drift.found == []


@pytest.mark.parametrize(
    ("status", "headers", "body", "found"),
    [
        (200, HEADERS, {**LIKED, "mood": "good"}, "'mood' was unexpected"),
        (200, HEADERS, {**LIKED, "like_count": -1}, "['like_count'] -1 is less than"),
        (200, HEADERS, {**LIKED, "post_id": "x"}, 'is not a "uuid"'),
        (200, HEADERS, {"post_id": POST}, "is a required property"),
        (202, HEADERS, LIKED, "no such status is documented"),
        (200, {**HEADERS, "X-Mood": "good"}, LIKED, "has a header x-mood"),
        (200, {"Content-Type": "application/json"}, LIKED, "has no header x-request-id"),
        (200, {**HEADERS, "Content-Type": "text/html"}, LIKED, "is no application/json"),
        (409, HEADERS, PROBLEM, "no such status is documented"),
        (
            404,
            {**HEADERS, "Content-Type": "application/problem+json"},
            {**PROBLEM, "status": 404},
            "['code'] \"COMMUNITY_ALREADY_REPORTED\" is not one of",
        ),
    ],
)
def test_an_answer_that_is_not_documented(
    drift: Drift, status: int, headers: Json, body: Any, found: str
) -> None:
    """Its status, headers, kind and body, and the code of a refusal."""
    drift.answered("POST", LIKE, status, headers, body)
    (told,) = drift.found
    assert found in told


def test_what_is_accepted_has_to_be_documented(drift: Drift) -> None:
    """A body, a parameter or a command that the documents do not allow, and that was carried out."""
    drift.answered("POST", LIKE, 200, HEADERS, LIKED, sent={"strongly": True})
    drift.answered("POST", f"{LIKE}?strongly=1", 200, HEADERS, LIKED)
    drift.acked("post:like", {"post_id": POST, "strongly": True}, {"data": LIKED})
    drift.acked("post:love", {"post_id": POST}, {"data": LIKED})
    assert [told.split(":")[0] for told in drift.found] == [
        f"POST {LIKE.replace(POST, '{post_id}')} 200, which was accepted",
        f"POST {LIKE.replace(POST, '{post_id}')} 200",
        "post",
        "post",
    ]


@pytest.mark.parametrize(
    ("name", "data", "meta", "found"),
    [
        ("post:lost", {}, META, "no such event is documented"),
        ("post:viewed", None, {"topic": "x", "at": META["at"]}, "null is not of type"),
        ("post:viewed", {"post_id": POST, "view_count": 1}, META, "its kind and its meta"),
        ("post:hidden", {"post_id": POST}, {**META, "at": "now"}, 'is not a "date-time"'),
        ("post:hidden", {"post_id": POST, "by": POST}, META, "under any of"),
    ],
)
def test_an_event_that_is_not_documented(
    drift: Drift, name: str, data: Any, meta: Json, found: str
) -> None:
    """Its name, its data, its meta."""
    drift.told(name, data, meta)
    assert any(found in told for told in drift.found), drift.found


def test_events_in_an_answer_are_looked_at_too(drift: Drift) -> None:
    """What a watcher recovers is told in the ack."""
    watched = {"topic": "gallery", "epoch": "e", "seq": 1, "recovered": True}
    answer = {"data": {**watched, "events": [["post:lost", {}, META]]}}
    drift.acked("topic:watch", {"topic": "gallery"}, answer)
    assert drift.found == ["post:lost: no such event is documented"]
