-- name: lock
-- Waits until no other pass is under way, and keeps others waiting until the transaction ends.
select from standings_pass for update

-- part: news
-- What was told of posts by transactions that `pass` does not know of.
select event.topic
from events as event
where event.xid >= pg_snapshot_xmin(pass.knows)
    and not pg_visible_in_snapshot(event.xid, pass.knows)
    and event.topic like 'post:%'

-- name: behind
-- Whether all posts are to be looked at, and whether anything was told of some since the last pass. That pass is of no use
-- if it knows of transactions that are yet to come, because the database was restored elsewhere, or if it may be
-- older than what the journal keeps.
select pg_snapshot_xmin(pass.knows) > pg_snapshot_xmax(pg_current_snapshot())
        or pass.at < now() - interval '12 hours' as wholly,
    exists (
        -- include: gallery/standings.news
    ) as partly
from standings_pass as pass

-- name: present
-- Which transactions can be seen.
select pg_current_snapshot()::text as knows

-- name: told
-- The posts of which something was told since the last pass.
select distinct substring(news.topic from 6)::uuid as id
from standings_pass as pass
cross join lateral (
    -- include: gallery/standings.news
) as news

-- name: every
-- The next $2 posts after $1.
select id from community_posts where id > $1::uuid order by id limit $2::integer

-- name: move
-- Moves the standings of the posts $1, unless somebody has locked them; how many were not where they should be, and
-- how many are so now.
with behind as materialized (
    select standing.post_id, standing.tag, post.like_count as likes
    from community_posts as post
    join post_standings as standing on standing.post_id = post.id
    where post.id = any ($1::uuid[]) and standing.likes <> post.like_count
), free as materialized (
    select standing.post_id, standing.tag, behind.likes
    from behind
    join post_standings as standing using (post_id, tag)
    order by standing.post_id, standing.tag
    for no key update of standing skip locked
), moved as (
    update post_standings as standing
    set likes = free.likes
    from free
    where standing.post_id = free.post_id and standing.tag = free.tag
    returning standing.post_id
)
select (select count(*) from behind) as behind, (select count(*) from moved) as moved

-- name: note
-- The standings know of the transactions $1.
update standings_pass set knows = $1::text::pg_snapshot, at = now()
