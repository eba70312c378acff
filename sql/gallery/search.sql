-- part: query
(select websearch_to_tsquery('english', $3::text))

-- name: best
-- For the reader $1, who moderates or not ($2): of the newest 1,000 posts with the words $3, not newer than
-- $4 (perhaps null), at most $7 after the position ($5, $6), best first, and $8 passed over. Each row says
-- how many of the 1,000 there are, and how new the newest is; there is a row even if there is no post.
--
-- If at least 25 of the newest 5,000 posts have the words, the newest 50,000 are walked for them; otherwise those that
-- have them are few, and all are gathered from the index.
with walk as materialized (
    select case when count(*) >= 25 then 50000 else 0 end as far
    from (
        select search from community_posts order by created_at desc, id desc limit 5000
    ) as post
    where post.search @@
        -- include: gallery/search.query
), walked as materialized (
    select post.id, post.created_at, post.search
    from (
        select *
        from community_posts
        where created_at <= coalesce($4::timestamptz, 'infinity')
        order by created_at desc, id desc
        limit (select far from walk)
    ) as post
    cross join
        -- include: gallery/feed.reader
    where post.search @@
            -- include: gallery/search.query
        and
        -- include: gallery/posts.visible
    order by post.created_at desc, post.id desc
    limit 1000
), gathered as (
    select post.id, post.created_at, post.search
    from community_posts as post
    cross join
        -- include: gallery/feed.reader
    where (select far from walk) = 0
        and post.search @@
            -- include: gallery/search.query
        and coalesce(post.created_at <= $4::timestamptz, true) and
        -- include: gallery/posts.visible
    order by post.created_at desc, post.id desc
    limit 1000
), candidate as materialized (
    select * from walked
    union all
    select * from gathered
), found as (
    select count(*) as total, coalesce($4::timestamptz, max(created_at)) as newest from candidate
), placed as (
    select *
    from (
        select id, ts_rank(search,
            -- include: gallery/search.query
        ) as rank
        from candidate
    ) as ranked
    where (rank, id) < ($5::real, $6::uuid)
    order by rank desc, id desc
    limit 51 offset $8
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
limit $7
