-- Pages of posts. In all of these the reader is $1, who moderates or not ($2), and there are at most $5
-- posts after the position ($3, $4) of the order in question. What an index gives in order is read for 51
-- rows at most: a number that the planner can see, so that it plans once and for all.

-- part: reader
(select $1::uuid as id, $2::boolean as moderates) as reader

-- part: newest_first
select
    -- include: gallery/posts.post
from page as post
-- include: gallery/posts.around
cross join
    -- include: gallery/feed.reader
order by post.created_at desc, post.id desc

-- part: most_liked_first
-- `standing` are the likes by which a post has its place.
select
    -- include: gallery/posts.post
    , page.likes as standing
from page
join community_posts as post on post.id = page.id
-- include: gallery/posts.around
cross join
    -- include: gallery/feed.reader
order by page.likes desc, page.id desc

-- part: best_first
select
    -- include: gallery/posts.post
    , post.snapshot_id, post.rank
from page as post
-- include: gallery/posts.around
cross join
    -- include: gallery/feed.reader
order by post.rank

-- name: recent
-- The newest posts.
with page as (
    select post.*
    from community_posts as post
    cross join
        -- include: gallery/feed.reader
    where (post.created_at, post.id) < ($3::timestamptz, $4::uuid) and
        -- include: gallery/posts.visible
    order by post.created_at desc, post.id desc
    limit 51
)
-- include: gallery/feed.newest_first
limit $5

-- name: recent_of_type
-- The newest posts of the asset type $6.
with page as (
    select post.*
    from community_posts as post
    cross join
        -- include: gallery/feed.reader
    where post.asset_type = $6::text
        and (post.created_at, post.id) < ($3::timestamptz, $4::uuid) and
        -- include: gallery/posts.visible
    order by post.created_at desc, post.id desc
    limit 51
)
-- include: gallery/feed.newest_first
limit $5

-- name: recent_of_user
-- The newest posts of the user $6.
with placed as (
    select post.id
    from community_posts as post
    cross join
        -- include: gallery/feed.reader
    where post.user_id = $6::uuid
        and (post.created_at, post.id) < ($3::timestamptz, $4::uuid) and
        -- include: gallery/posts.visible
    order by post.created_at desc, post.id desc
    limit 51
), page as (
    select post.* from placed join community_posts as post using (id)
)
-- include: gallery/feed.newest_first
limit $5

-- part: may_stand
-- Whether `standing` may be listed for the reader at this position.
(standing.likes, standing.post_id) < ($3::integer, $4::uuid)
and (not standing.is_hidden or standing.user_id = $1::uuid or $2::boolean)

-- name: most_liked
-- The most liked posts of the asset types $7 that have any of the tags $8 ('' has every post), and $6
-- passed over: the best of each, merged.
with page as (
    select distinct best.post_id as id, best.likes
    from unnest($7::text[]) as wanted (asset_type)
    cross join unnest($8::text[]) as named (tag)
    cross join lateral (
        select standing.post_id, standing.likes
        from post_standings as standing
        where standing.tag = named.tag and standing.asset_type = wanted.asset_type and
            -- include: gallery/feed.may_stand
        order by standing.likes desc, standing.post_id desc
        limit 51 + $6::bigint
    ) as best
    order by best.likes desc, best.post_id desc
    limit 51 offset $6::bigint
)
-- include: gallery/feed.most_liked_first
limit $5

-- name: most_liked_of_user
-- The same of the user $9.
with page as (
    select distinct best.post_id as id, best.likes
    from unnest($7::text[]) as wanted (asset_type)
    cross join unnest($8::text[]) as named (tag)
    cross join lateral (
        select standing.post_id, standing.likes
        from post_standings as standing
        where standing.user_id = $9::uuid
            and standing.tag = named.tag
            and standing.asset_type = wanted.asset_type
            and
            -- include: gallery/feed.may_stand
        order by standing.likes desc, standing.post_id desc
        limit 51 + $6::bigint
    ) as best
    order by best.likes desc, best.post_id desc
    limit 51 offset $6::bigint
)
-- include: gallery/feed.most_liked_first
limit $5

-- part: newest_snapshot
(select id from trending_snapshots order by created_at desc limit 1)

-- name: trending
-- The best posts of a snapshot ($3), after a rank ($4), and $6 passed over.
with page as (
    select entry.snapshot_id, entry.rank, post.*
    from trending_entries as entry
    join community_posts as post on post.id = entry.post_id
    cross join
        -- include: gallery/feed.reader
    where entry.rank > $4::integer
        and entry.snapshot_id = coalesce($3::uuid,
            -- include: gallery/feed.newest_snapshot
        ) and
        -- include: gallery/posts.visible
    order by entry.rank
    limit 51 offset $6::bigint
)
-- include: gallery/feed.best_first
limit $5

-- name: trending_of_type
-- The best posts of the asset type $7 in a snapshot ($3), after a rank ($4), and $6 passed over.
with page as (
    select entry.snapshot_id, entry.rank, post.*
    from trending_entries as entry
    join community_posts as post on post.id = entry.post_id
    cross join
        -- include: gallery/feed.reader
    where entry.rank > $4::integer
        and entry.asset_type = $7::text
        and entry.snapshot_id = coalesce($3::uuid,
            -- include: gallery/feed.newest_snapshot
        ) and
        -- include: gallery/posts.visible
    order by entry.rank
    limit 51 offset $6::bigint
)
-- include: gallery/feed.best_first
limit $5

-- part: listed
-- The posts of a snapshot ($3) after a rank ($4) that stand in lists of it, best first: in one of the lists $8 for
-- each bit of $10, which are the bits ($9) of these lists; of the asset type $7 or of any. Tags may have been taken
-- from a post since: it still has any of $11, and all of $12. Each list is looked up by itself (`limit 1`): PostgreSQL
-- knows little of the newest snapshot, and would go through all its lists.
select entry.snapshot_id, entry.rank, post.*
from (
    select listed.place
    from (
        select unnest(list.places) as place, asked.bit
        from unnest($8::text[], $9::integer[]) as asked (key, bit)
        cross join lateral (
            select places
            from trending_lists
            where key = asked.key
                and snapshot_id = coalesce($3::uuid,
                    -- include: gallery/feed.newest_snapshot
                )
            limit 1
        ) as list
    ) as listed
    where listed.place > $4::integer * 8 + 7
        and ($7::text is null or listed.place & 7 = (select asset_type_number($7)))
    group by listed.place
    having bit_or(listed.bit) = $10::integer
    order by listed.place
) as listed
cross join lateral (
    select snapshot_id, rank, post_id
    from trending_entries
    where rank = listed.place / 8
        and snapshot_id = coalesce($3::uuid,
            -- include: gallery/feed.newest_snapshot
        )
    limit 1
) as entry
cross join lateral (
    select * from community_posts where community_posts.id = entry.post_id limit 1
) as post
cross join
    -- include: gallery/feed.reader
where ($11::text[] is null or post.tags && $11)
    and ($12::text[] is null or post.tags @> $12)
    and
    -- include: gallery/posts.visible
order by listed.place

-- name: trending_listed
-- Those posts, and $6 passed over.
with page as (
    -- include: gallery/feed.listed
    limit 51 offset $6::bigint
)
-- include: gallery/feed.best_first
limit $5

-- name: featured
-- The newest posts that are featured, and $6 passed over.
with placed as (
    select post.created_at as listed_at, post.id as listed_id
    from community_posts as post
    cross join
        -- include: gallery/feed.reader
    where post.is_featured
        and (post.created_at, post.id) < ($3::timestamptz, $4::uuid) and
        -- include: gallery/posts.visible
    order by post.created_at desc, post.id desc
    limit 51 offset $6
)
select
    -- include: gallery/posts.post
    , placed.listed_at, placed.listed_id
from placed
join community_posts as post on post.id = placed.listed_id
-- include: gallery/posts.around
cross join
    -- include: gallery/feed.reader
order by placed.listed_at desc, placed.listed_id desc
limit $5

-- part: walked_most
-- How many posts are walked in search of a page by those whom the reader follows: none if they are few.
(select coalesce(max(case when following_count >= 100 then 1000 else 0 end), 0)
from community_user_stats
where user_id = $1::uuid)

-- part: by_followed
-- Whether `post` is by somebody whom the reader follows; `is true` keeps this a set that is made once, and not a join.
(post.user_id in (
    select follow.following_id from community_follows as follow where follow.follower_id = $1::uuid
)) is true

-- name: following
-- The newest posts of those whom the reader follows. Who follows many will find a page among the newest of all posts.
-- Otherwise the newest of each creator is looked up in the index; only the $5 creators whose newest are the newest can
-- be on the page, so only their posts are read further.
with walked as materialized (
    select post.id, post.created_at
    from (
        select id, user_id, created_at, is_hidden
        from community_posts
        where (created_at, id) < ($3::timestamptz, $4::uuid)
        order by created_at desc, id desc
        limit
            -- include: gallery/feed.walked_most
    ) as post
    cross join
        -- include: gallery/feed.reader
    where
        -- include: gallery/feed.by_followed
        and
        -- include: gallery/posts.visible
    order by post.created_at desc, post.id desc
    limit $5
), latest as materialized (
    select follow.following_id as user_id, newest.created_at
    from community_follows as follow
    cross join
        -- include: gallery/feed.reader
    cross join lateral (
        select post.created_at, post.id
        from community_posts as post
        where post.user_id = follow.following_id
            and (post.created_at, post.id) < ($3::timestamptz, $4::uuid) and
            -- include: gallery/posts.visible
        order by post.created_at desc, post.id desc
        limit 1
    ) as newest
    where follow.follower_id = reader.id and (select count(*) from walked) < $5
    order by newest.created_at desc, newest.id desc
    limit $5
), placed as (
    select newest.id
    from latest
    cross join
        -- include: gallery/feed.reader
    cross join lateral (
        select post.created_at, post.id
        from community_posts as post
        where post.user_id = latest.user_id
            and (post.created_at, post.id) < ($3::timestamptz, $4::uuid) and
            -- include: gallery/posts.visible
        order by post.created_at desc, post.id desc
        limit 51
    ) as newest
    order by newest.created_at desc, newest.id desc
    limit 51
), page as (
    select post.*
    from (
        select id from walked where (select count(*) from walked) = $5
        union all
        select id from placed
    ) as placed
    join community_posts as post using (id)
)
-- include: gallery/feed.newest_first
limit $5

-- Totals, under the same filters. One's own hidden posts are counted among one's own posts only: else $1
-- is null.

-- name: count_all
-- How many posts there are; the hidden ones count for moderators ($1).
select (select coalesce(sum(post_count), 0) from community_user_stats)
    - case when $1::boolean then 0 else (select count(*) from community_posts where is_hidden) end
    as total

-- name: count_followed
-- How many posts there are by those whom $1 follows; the hidden ones count for moderators ($2).
select coalesce(sum(
    stats.post_count - case when $2::boolean then 0 else (
        select count(*)
        from community_posts as post
        where post.is_hidden and post.user_id = follow.following_id
    ) end
), 0) as total
from community_follows as follow
join community_user_stats as stats on stats.user_id = follow.following_id
where follow.follower_id = $1::uuid

-- name: count_trending
-- How many posts of the newest snapshot there are for the reader, of the asset type $3 or of any.
select count(*) as total
from trending_entries as entry
join community_posts as post on post.id = entry.post_id
cross join
    -- include: gallery/feed.reader
where entry.snapshot_id =
        -- include: gallery/feed.newest_snapshot
    and ($3::text is null or entry.asset_type = $3)
    and
    -- include: gallery/posts.visible

-- name: count_trending_listed
-- How many posts of the newest snapshot stand in lists, as far as $5: see `listed`.
select count(*) as total
from (
    -- include: gallery/feed.listed
    limit $5::bigint offset $6::bigint
) as counted

-- name: count_featured
-- How many posts are featured; the hidden ones count for moderators ($1).
select count(*) as total from community_posts where is_featured and (not is_hidden or $1::boolean)
