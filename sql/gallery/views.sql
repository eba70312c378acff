-- name: find
-- Those of the posts $1 that there are, and what a view needs to know of them.
select id, user_id, is_hidden, view_count from community_posts where id = any ($1::uuid[])

-- name: mark
-- Marks that each of the posts $1 was viewed by the viewer beside it ($2), but for those who have a mark
-- not older than $3; the posts that were marked, once for each mark.
insert into view_marks (post_id, viewer, counted_at)
select post_id, viewer, clock_timestamp()
from (
    select distinct post_id, viewer
    from unnest($1::uuid[], $2::text[]) as given (post_id, viewer)
    order by post_id, viewer
) as given
on conflict (post_id, viewer) do update set counted_at = excluded.counted_at
where view_marks.counted_at <= excluded.counted_at - $3::interval
returning post_id

-- name: lock_posts
-- Locks these posts in order of id; whether each is hidden.
select id, is_hidden from posts_locked($1)

-- name: count
-- Adds $2 to the view counts of the locked posts $1; what they come to, and when that was.
update community_posts as post
set view_count = post.view_count + given.growth
from unnest($1::uuid[], $2::integer[]) as given (id, growth)
where post.id = given.id
returning post.id, post.view_count, clock_timestamp() as at

-- name: forget
-- Removes the marks that are older than $1.
delete from view_marks where counted_at < clock_timestamp() - $1::interval
