-- Which posts pass filters, newest first, read from an index that gives them in that order: at most $6 after
-- the position ($4, $5), and $7 passed over. The reader is $1, who moderates or not ($2). What is given
-- decides which query is asked; the asset type $3 may be null where two share one.

-- part: listed
-- Whether `entry`, of `post_tags`, may be listed for the reader at this position.
(entry.created_at, entry.post_id) < ($4::timestamptz, $5::uuid)
and (not entry.is_hidden or entry.user_id = $1::uuid or $2::boolean)

-- part: with_all
-- Whether the post of `entry` has all of the tags $8.
not exists (
    select
    from unnest($8::text[]) as other (tag)
    where not exists (
        select
        from post_tags as same
        where same.tag = other.tag
            and same.created_at = entry.created_at
            and same.post_id = entry.post_id
    )
)

-- part: by_followed
-- Whether the post of `entry` is by somebody whom the reader follows; `is true` keeps this a set that is made once,
-- and not a join.
(entry.user_id in (
    select follow.following_id from community_follows as follow where follow.follower_id = $1::uuid
)) is true

-- part: all
-- All posts.
select post.id, post.created_at
from community_posts as post
where (post.created_at, post.id) < ($3::timestamptz, $4::uuid)
    and (not post.is_hidden or post.user_id = $1::uuid or $2::boolean)
order by post.created_at desc, post.id desc
limit $5::bigint offset $6::bigint

-- part: followed
-- Posts by those whom the reader follows: merged as in `feed.following`.
with latest as materialized (
    select follow.following_id as user_id
    from community_follows as follow
    cross join lateral (
        select post.created_at, post.id
        from community_posts as post
        where post.user_id = follow.following_id
            and (post.created_at, post.id) < ($3::timestamptz, $4::uuid)
            and (not post.is_hidden or $2::boolean)
        order by post.created_at desc, post.id desc
        limit 1
    ) as newest
    where follow.follower_id = $1::uuid
    order by newest.created_at desc, newest.id desc
    limit $5::bigint + $6::bigint
)
select newest.id, newest.created_at
from latest
cross join lateral (
    select post.created_at, post.id
    from community_posts as post
    where post.user_id = latest.user_id
        and (post.created_at, post.id) < ($3::timestamptz, $4::uuid)
        and (not post.is_hidden or $2::boolean)
    order by post.created_at desc, post.id desc
    limit $5::bigint + $6::bigint
) as newest
order by newest.created_at desc, newest.id desc
limit $5::bigint offset $6::bigint

-- part: user_and_type
-- Posts of the user $8 that have the asset type $3.
select post.id, post.created_at
from community_posts as post
where post.user_id = $8::uuid
    and post.asset_type = $3::text
    and (post.created_at, post.id) < ($4::timestamptz, $5::uuid)
    and (not post.is_hidden or post.user_id = $1::uuid or $2::boolean)
order by post.created_at desc, post.id desc
limit $6::bigint offset $7::bigint

-- part: type
-- Posts of the asset type $3.
select post.id, post.created_at
from community_posts as post
where post.asset_type = $3::text
    and (post.created_at, post.id) < ($4::timestamptz, $5::uuid)
    and (not post.is_hidden or post.user_id = $1::uuid or $2::boolean)
order by post.created_at desc, post.id desc
limit $6::bigint offset $7::bigint

-- part: user
-- Posts of the user $3.
select post.id, post.created_at
from community_posts as post
where post.user_id = $3::uuid
    and (post.created_at, post.id) < ($4::timestamptz, $5::uuid)
    and (not post.is_hidden or post.user_id = $1::uuid or $2::boolean)
order by post.created_at desc, post.id desc
limit $6::bigint offset $7::bigint

-- part: tags
-- Posts with any of the tags $3.
select distinct entry.post_id as id, entry.created_at
from unnest($3::text[]) as named (tag)
cross join lateral (
    select entry.created_at, entry.post_id
    from post_tags as entry
    where entry.tag = named.tag and
        -- include: gallery/passing.listed
    order by entry.created_at desc, entry.post_id desc
    limit $6::bigint + $7::bigint
) as entry
order by entry.created_at desc, entry.post_id desc
limit $6::bigint offset $7::bigint

-- part: tags_and_type
-- Posts with any of the tags $8 that have the asset type $3.
select distinct entry.post_id as id, entry.created_at
from unnest($8::text[]) as named (tag)
cross join lateral (
    select entry.created_at, entry.post_id
    from post_tags as entry
    where entry.tag = named.tag and entry.asset_type = $3::text and
        -- include: gallery/passing.listed
    order by entry.created_at desc, entry.post_id desc
    limit $6::bigint + $7::bigint
) as entry
order by entry.created_at desc, entry.post_id desc
limit $6::bigint offset $7::bigint

-- part: user_and_tags
-- Posts of the user $9 with any of the tags $8, of the asset type $3 or of any.
select distinct entry.post_id as id, entry.created_at
from unnest($8::text[]) as named (tag)
cross join lateral (
    select entry.created_at, entry.post_id
    from post_tags as entry
    where entry.user_id = $9::uuid
        and entry.tag = named.tag
        and ($3::text is null or entry.asset_type = $3)
        and
        -- include: gallery/passing.listed
    order by entry.created_at desc, entry.post_id desc
    limit $6::bigint + $7::bigint
) as entry
order by entry.created_at desc, entry.post_id desc
limit $6::bigint offset $7::bigint

-- part: all_tags
-- Posts with all of the tags $8, at least two, of the asset type $3 or of any, and with $9 only by those whom the
-- reader follows: of the posts with the rarest pair of them those that have the other tags too.
with lead as materialized (
    select named.pair
    from tag_pairs($8::text[]) as named (pair)
    order by (
        select count(*)
        from (select from post_tag_pairs as entry where entry.pair = named.pair limit 2000) as counted
    ), named.pair
    limit 1
)
select entry.post_id as id, entry.created_at
from lead
cross join lateral (
    select entry.created_at, entry.post_id
    from post_tag_pairs as entry
    where entry.pair = lead.pair
        and ($3::text is null or entry.asset_type = $3)
        and (not $9::boolean or
            -- include: gallery/passing.by_followed
        )
        and (cardinality($8::text[]) = 2 or
            -- include: gallery/passing.with_all
        )
        and
        -- include: gallery/passing.listed
    order by entry.created_at desc, entry.post_id desc
    limit $6::bigint + $7::bigint
) as entry
order by entry.created_at desc, entry.post_id desc
limit $6::bigint offset $7::bigint

-- part: type_by_followed
-- Posts that have the asset type $3, by those whom the reader follows: walked or merged as in `feed.following`.
with walked as materialized (
    select entry.id, entry.created_at
    from (
        select id, user_id, created_at, is_hidden
        from community_posts
        where asset_type = $3::text and (created_at, id) < ($4::timestamptz, $5::uuid)
        order by created_at desc, id desc
        limit
            -- include: gallery/feed.walked_most
    ) as entry
    where (not entry.is_hidden or $2::boolean) and
        -- include: gallery/passing.by_followed
    order by entry.created_at desc, entry.id desc
    limit $6::bigint + $7::bigint
), latest as materialized (
    select follow.following_id as user_id, newest.created_at
    from community_follows as follow
    cross join lateral (
        select post.created_at, post.id
        from community_posts as post
        where post.user_id = follow.following_id
            and post.asset_type = $3::text
            and (post.created_at, post.id) < ($4::timestamptz, $5::uuid)
            and (not post.is_hidden or $2::boolean)
        order by post.created_at desc, post.id desc
        limit 1
    ) as newest
    where follow.follower_id = $1::uuid
        and (select count(*) from walked) < $6::bigint + $7::bigint
    order by newest.created_at desc, newest.id desc
    limit $6::bigint + $7::bigint
)
select id, created_at from walked where (select count(*) from walked) = $6::bigint + $7::bigint
union all
select newest.id, newest.created_at
from latest
cross join lateral (
    select post.created_at, post.id
    from community_posts as post
    where post.user_id = latest.user_id
        and post.asset_type = $3::text
        and (post.created_at, post.id) < ($4::timestamptz, $5::uuid)
        and (not post.is_hidden or $2::boolean)
    order by post.created_at desc, post.id desc
    limit $6::bigint + $7::bigint
) as newest
order by created_at desc, id desc
limit $6::bigint offset $7::bigint

-- part: tag_by_followed
-- Posts with the tag $8, of the asset type $3 or of any, by those whom the reader follows: alike. Where the tag is so
-- rare that all of it was walked, nothing else is to be found.
with step as materialized (
    select post_id, user_id, asset_type, created_at, is_hidden
    from post_tags
    where tag = $8::text and (created_at, post_id) < ($4::timestamptz, $5::uuid)
    order by created_at desc, post_id desc
    limit
        -- include: gallery/feed.walked_most
), walked as materialized (
    select entry.post_id, entry.created_at
    from step as entry
    where ($3::text is null or entry.asset_type = $3)
        and (not entry.is_hidden or $2::boolean)
        and
        -- include: gallery/passing.by_followed
    order by entry.created_at desc, entry.post_id desc
    limit $6::bigint + $7::bigint
), walk as materialized (
    select (select count(*) from walked) = $6::bigint + $7::bigint
        or (select count(*) from step) <
            -- include: gallery/feed.walked_most
        as is_enough
), latest as materialized (
    select follow.following_id as user_id
    from community_follows as follow
    cross join lateral (
        select entry.created_at, entry.post_id
        from post_tags as entry
        where entry.user_id = follow.following_id
            and entry.tag = $8::text
            and ($3::text is null or entry.asset_type = $3)
            and
            -- include: gallery/passing.listed
        order by entry.created_at desc, entry.post_id desc
        limit 1
    ) as newest
    where follow.follower_id = $1::uuid
        and not (select is_enough from walk)
    order by newest.created_at desc, newest.post_id desc
    limit $6::bigint + $7::bigint
)
select post_id as id, created_at
from walked
where (select is_enough from walk)
union all
select newest.post_id, newest.created_at
from latest
cross join lateral (
    select entry.created_at, entry.post_id
    from post_tags as entry
    where entry.user_id = latest.user_id
        and entry.tag = $8
        and ($3::text is null or entry.asset_type = $3)
        and
        -- include: gallery/passing.listed
    order by entry.created_at desc, entry.post_id desc
    limit $6::bigint + $7::bigint
) as newest
order by created_at desc, id desc
limit $6::bigint offset $7::bigint

-- Where words are looked for, and for combinations that nobody asks for, posts are found by their keys (see the index
-- `posts_found`). Filters are null where there are none: the asset type $3, any of the tags $4, all of the tags $5, the
-- author $6, the words $7; with $8 only those whom the reader follows. At most $11 after the position ($9, $10), and $12
-- passed over.

-- part: words
(select websearch_to_tsquery('english', $7::text))

-- part: terms
(select search_terms(
    websearch_to_tsquery('english', $7::text), $3::text, $4::text[], $5::text[], $6::uuid
))

-- part: spans
-- Spans of time, newest first: a nested loop keeps their order.
search_spans(
    least($9::timestamptz, (select max(created_at) from community_posts)),
    (select min(created_at) from community_posts)
) as span (digits)

-- part: keyed
-- The posts of a span that have the keys. `offset 0` keeps PostgreSQL from reading an index of times beside.
(
    select *
    from community_posts
    where search_keys(search, created_at, asset_type, user_id, tags) @@ search_query(
        -- include: gallery/passing.terms
        , span.digits
    )
    offset 0
) as post

-- part: fits
-- Whether a post that has the keys passes: what the index does not know is looked at in the post.
($7::text is null or post.search @@
    -- include: gallery/passing.words
)
and (not $8::boolean or exists (
    select from community_follows as follow
    where follow.follower_id = reader.id and follow.following_id = post.user_id
))
and
-- include: gallery/posts.visible

-- part: found
-- One span after the other, until there are enough.
select post.*
from
    -- include: gallery/passing.spans
cross join lateral (
    select post.*
    from
        -- include: gallery/passing.keyed
    cross join
        -- include: gallery/feed.reader
    where
        -- include: gallery/passing.fits
        and (post.created_at, post.id) < ($9::timestamptz, $10::uuid)
    order by post.created_at desc, post.id desc
    limit $11::bigint + $12::bigint
) as post
where
    -- include: gallery/passing.terms
    is not null
limit $11::bigint + $12::bigint

-- name: of_all
-- All posts.
-- include: gallery/passing.all

-- name: count_of_all
-- How many those are, as far as $5.
select count(*) as total
from (
    -- include: gallery/passing.all
) as passing

-- name: of_followed
-- Posts by those whom the reader follows.
-- include: gallery/passing.followed

-- name: count_of_followed
-- How many those are, as far as $5.
select count(*) as total
from (
    -- include: gallery/passing.followed
) as passing

-- name: of_user_and_type
-- Posts of the user $8 that have the asset type $3.
-- include: gallery/passing.user_and_type

-- name: count_of_user_and_type
-- How many those are, as far as $6.
select count(*) as total
from (
    -- include: gallery/passing.user_and_type
) as passing

-- name: of_type
-- Posts of the asset type $3.
-- include: gallery/passing.type

-- name: count_of_type
-- How many those are, as far as $6.
select count(*) as total
from (
    -- include: gallery/passing.type
) as passing

-- name: of_user
-- Posts of the user $3.
-- include: gallery/passing.user

-- name: count_of_user
-- How many those are, as far as $6.
select count(*) as total
from (
    -- include: gallery/passing.user
) as passing

-- name: of_tags
-- Posts with any of the tags $3.
-- include: gallery/passing.tags

-- name: count_of_tags
-- How many those are, as far as $6.
select count(*) as total
from (
    -- include: gallery/passing.tags
) as passing

-- name: of_tags_and_type
-- Posts with any of the tags $8 that have the asset type $3.
-- include: gallery/passing.tags_and_type

-- name: count_of_tags_and_type
-- How many those are, as far as $6.
select count(*) as total
from (
    -- include: gallery/passing.tags_and_type
) as passing

-- name: of_user_and_tags
-- Posts of the user $9 with any of the tags $8, of the asset type $3 or of any.
-- include: gallery/passing.user_and_tags

-- name: count_of_user_and_tags
-- How many those are, as far as $6.
select count(*) as total
from (
    -- include: gallery/passing.user_and_tags
) as passing

-- name: of_all_tags
-- Posts with all of the tags $8, of the asset type $3 or of any, and with $9 only by those whom the reader follows.
-- include: gallery/passing.all_tags

-- name: count_of_all_tags
-- How many those are, as far as $6.
select count(*) as total
from (
    -- include: gallery/passing.all_tags
) as passing

-- name: of_type_by_followed
-- Posts that have the asset type $3, by those whom the reader follows: merged as in `feed.following`.
-- include: gallery/passing.type_by_followed

-- name: count_of_type_by_followed
-- How many those are, as far as $6.
select count(*) as total
from (
    -- include: gallery/passing.type_by_followed
) as passing

-- name: of_tag_by_followed
-- Posts with the tag $8, of the asset type $3 or of any, by those whom the reader follows.
-- include: gallery/passing.tag_by_followed

-- name: count_of_tag_by_followed
-- How many those are, as far as $6.
select count(*) as total
from (
    -- include: gallery/passing.tag_by_followed
) as passing

-- name: of_keys
-- Posts that pass all of these filters.
select id, created_at
from (
    -- include: gallery/passing.found
) as post
order by created_at desc, id desc
limit $11::bigint offset $12::bigint

-- name: count_of_keys
-- How many those are, as far as $11.
select count(*) as total
from (
    -- include: gallery/passing.found
) as post

-- Pages of such posts, which are $3. The reader is $1, who moderates or not ($2).

-- name: newest_of
-- These posts, newest first.
select
    -- include: gallery/posts.post
from community_posts as post
-- include: gallery/posts.around
cross join
    -- include: gallery/feed.reader
where post.id = any ($3::uuid[]) and
    -- include: gallery/posts.visible
order by post.created_at desc, post.id desc

-- The newest posts that pass filters ($1 to $12: see `found`), in another order.

-- part: newest
-- What passes of the newest posts that have all the words: three times as many as are wanted are looked at. The posts
-- that have the words of a phrase in another order would be no end.
select post.id, post.created_at, post.like_count, post.search
from (
    select post.*
    from
        -- include: gallery/passing.spans
    cross join lateral (
        select post.id, post.user_id, post.created_at, post.is_hidden, post.like_count, post.search
        from
            -- include: gallery/passing.keyed
        where (post.created_at, post.id) < ($9::timestamptz, $10::uuid)
        order by post.created_at desc, post.id desc
        limit 3 * $11::bigint
    ) as post
    where
        -- include: gallery/passing.terms
        is not null
    limit 3 * $11::bigint
) as post
cross join
    -- include: gallery/feed.reader
where
    -- include: gallery/passing.fits
limit $11::bigint + $12::bigint

-- name: count_newest_of_keys
-- How many those are.
select count(*) as total
from (
    -- include: gallery/passing.newest
) as post

-- name: most_liked_of_keys
-- At most $15 of them after the position ($13, $14), most likes first, and $16 passed over.
with page as (
    select post.id, post.like_count as likes
    from (
        -- include: gallery/passing.newest
    ) as post
    where (post.like_count, post.id) < ($13::integer, $14::uuid)
    order by post.like_count desc, post.id desc
    limit $15::bigint offset $16::bigint
)
-- include: gallery/feed.most_liked_first

-- part: ranked
-- Each where it stands in a snapshot ($13), if it does.
select entry.snapshot_id, entry.rank, post.id
from (
    -- include: gallery/passing.newest
) as post
cross join lateral (
    select snapshot_id, rank
    from trending_entries
    where post_id = post.id
        and snapshot_id = coalesce($13::uuid,
            -- include: gallery/feed.newest_snapshot
        )
    limit 1
) as entry

-- name: trending_of_keys
-- At most $15 of them as they stand in a snapshot ($13) after a rank ($14), best first, and $16 passed over.
with placed as (
    select *
    from (
        -- include: gallery/passing.ranked
    ) as ranked
    where rank > $14::integer
    order by rank
    limit $15::bigint offset $16::bigint
), page as (
    select placed.snapshot_id, placed.rank, post.* from placed join community_posts as post using (id)
)
-- include: gallery/feed.best_first

-- name: count_trending_of_keys
-- How many of them stand in a snapshot ($13).
select count(*) as total
from (
    -- include: gallery/passing.ranked
) as ranked
