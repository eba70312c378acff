-- name: best
-- Of the newest posts that pass filters ($1 to $12: see `passing.newest`), words among them, at most $15 after the
-- position ($13, $14), best first, and $16 passed over. Each row says how many those newest are, and how new the
-- newest is; there is a row even if there is no post.
with candidate as materialized (
    select post.id, post.created_at, ts_rank(post.search,
        -- include: gallery/passing.words
    ) as rank
    from (
        -- include: gallery/passing.newest
    ) as post
), found as (
    select count(*) as total, max(created_at) as newest from candidate
), placed as (
    select id, rank
    from candidate
    where (rank, id) < ($13::real, $14::uuid)
    order by rank desc, id desc
    limit 51 offset $16
), page as (
    select
        -- include: gallery/posts.post
        , placed.rank
    from placed
    join community_posts as post using (id)
    -- include: gallery/posts.around
    cross join
        -- include: gallery/feed.reader
)
select page.*, found.total, found.newest
from found
left join page on true
order by page.rank desc, page.id desc
limit $15
