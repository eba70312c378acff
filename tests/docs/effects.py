"""What each operation causes, and the test that shows it: the last table of gallery.md.

Journeys hold it to what happens (tests/journeys/test_authorization.py); test_pages.py sees that no
operation and no event is missing, and that the tests are there.
"""

from typing import NamedTuple


class Effect(NamedTuple):
    """The events that an operation may cause, and where that is shown: `file::test` below tests/."""

    events: tuple[str, ...]
    shown: str


NOTIFIES = ("notification:created", "notification:updated")
TAKES_BACK = ("notification:updated",)
STORE, JOURNEYS = "store/gallery", "journeys"

EFFECTS = {
    "session:get": Effect(
        (), f"{JOURNEYS}/test_sessions.py::test_whoever_asks_is_told_who_they_are"
    ),
    "session:revoke": Effect(
        (), f"{JOURNEYS}/test_revocation.py::test_a_revocation_ends_sessions_on_every_node"
    ),
    "notification:page": Effect((), "store/inbox/test_inbox.py::test_an_inbox_is_walked"),
    "notification:see": Effect(
        ("notification:updated",),
        f"{JOURNEYS}/test_inbox.py::test_all_screens_of_a_user_learn_what_was_seen",
    ),
    "asset:create": Effect((), f"{STORE}/test_assets.py::test_an_asset_is_answered_as_it_is_kept"),
    "asset:page": Effect(
        (), f"{JOURNEYS}/test_lists.py::test_a_list_is_the_same_over_sockets_and_rest"
    ),
    "post:create": Effect(
        ("post:created", "feed:post_created", *NOTIFIES),
        f"{JOURNEYS}/test_watching.py::test_a_new_post_is_told_to_everybody",
    ),
    "post:get": Effect(
        ("post:viewed",), f"{STORE}/test_posts.py::test_a_post_is_what_its_asset_is"
    ),
    "post:update": Effect(
        ("post:updated",), f"{STORE}/test_changes.py::test_a_post_says_something_else"
    ),
    "post:delete": Effect(
        ("post:deleted", *TAKES_BACK),
        f"{STORE}/test_changes.py::test_a_deleted_post_is_gone_with_all_that_hangs_on_it",
    ),
    "post:view": Effect(
        ("post:viewed",), f"{JOURNEYS}/test_views.py::test_a_view_is_seen_on_all_nodes"
    ),
    "post:page": Effect(
        (), f"{JOURNEYS}/test_listing.py::test_a_page_is_the_same_over_sockets_and_rest"
    ),
    "post:page_featured": Effect(
        (), f"{STORE}/test_lists.py::test_each_list_goes_from_the_newest_back"
    ),
    "post:page_trending": Effect(
        (), f"{STORE}/test_trending.py::test_a_snapshot_is_in_the_order_of_the_score"
    ),
    "post:search": Effect((), f"{STORE}/test_search.py::test_what_is_found"),
    "post:page_mine": Effect(
        (), f"{JOURNEYS}/test_lists.py::test_a_list_is_the_same_over_sockets_and_rest"
    ),
    "post:page_liked": Effect(
        (), f"{STORE}/test_lists.py::test_each_list_goes_from_the_newest_back"
    ),
    "post:page_following": Effect(
        (), f"{STORE}/test_feed.py::test_following_is_the_newest_of_those_one_follows"
    ),
    "post:page_of_user": Effect(
        (), f"{JOURNEYS}/test_lists.py::test_a_list_is_the_same_over_sockets_and_rest"
    ),
    "feed:page": Effect((), f"{STORE}/test_feed.py::test_recent_is_newest_first"),
    "post:like": Effect(
        ("post:liked", *NOTIFIES),
        f"{JOURNEYS}/test_watching.py::test_a_like_a_comment_and_a_follow_reach_the_screens_of_others",
    ),
    "post:unlike": Effect(
        ("post:unliked", *TAKES_BACK),
        f"{JOURNEYS}/test_watching.py::test_what_is_taken_back_is_seen_too",
    ),
    "post:get_engagement": Effect(
        (), f"{STORE}/test_lists.py::test_engagement_is_what_the_post_says"
    ),
    "user:page_likers": Effect(
        (), f"{STORE}/test_lists.py::test_each_list_goes_from_the_newest_back"
    ),
    "comment:page": Effect(
        (),
        f"{STORE}/test_comments.py::test_comments_are_read_oldest_first_by_cursor_or_by_page",
    ),
    "comment:create": Effect(
        ("comment:created", *NOTIFIES),
        f"{JOURNEYS}/test_watching.py::test_a_like_a_comment_and_a_follow_reach_the_screens_of_others",
    ),
    "comment:update": Effect(
        ("comment:updated",), f"{STORE}/test_comments.py::test_an_edit_says_that_it_is_one"
    ),
    "comment:delete": Effect(
        ("comment:deleted", *TAKES_BACK),
        f"{JOURNEYS}/test_watching.py::test_what_is_taken_back_is_seen_too",
    ),
    "user:get": Effect((), f"{STORE}/test_follows.py::test_a_follow_is_answered_counted_and_told"),
    "user:page_followers": Effect(
        (), f"{STORE}/test_lists.py::test_each_list_goes_from_the_newest_back"
    ),
    "user:page_following": Effect(
        (), f"{STORE}/test_lists.py::test_each_list_goes_from_the_newest_back"
    ),
    "user:follow": Effect(
        ("user:followed", *NOTIFIES),
        f"{JOURNEYS}/test_watching.py::test_a_like_a_comment_and_a_follow_reach_the_screens_of_others",
    ),
    "user:unfollow": Effect(
        ("user:unfollowed", *TAKES_BACK),
        f"{JOURNEYS}/test_watching.py::test_what_is_taken_back_is_seen_too",
    ),
    "post:report": Effect((), f"{STORE}/test_reports.py::test_a_report_waits_for_a_moderator"),
    "report:page": Effect((), f"{STORE}/test_reports.py::test_reports_are_listed_newest_first"),
    "report:review": Effect(
        ("post:hidden", *TAKES_BACK),
        f"{STORE}/test_reports.py::test_two_moderators_review_one_report_at_the_same_moment",
    ),
    "post:feature": Effect(
        ("post:featured", "post:updated"),
        f"{STORE}/test_moderation.py::test_a_post_is_featured_and_no_longer",
    ),
    "post:hide": Effect(
        ("post:hidden", "post:updated", *TAKES_BACK),
        f"{STORE}/test_moderation.py::test_a_post_is_hidden_and_shown_again",
    ),
    "user:ban": Effect(
        (), f"{STORE}/test_moderation.py::test_a_banned_user_writes_nothing_and_reads"
    ),
}

BY_THEMSELVES = {"trending:refreshed", "presence:changed"}
"""Events that no operation causes: time does, or who comes and goes."""
