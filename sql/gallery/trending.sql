-- part: score
-- How much `post` is trending at this moment: gallery.md, "Lists of posts".
(post.like_count + 2 * post.comment_count + 0.1 * post.view_count)::double precision
/ power(greatest(extract(epoch from now() - post.created_at)::double precision, 0) / 3600 + 2, 1.5)
* case when post.is_featured then 1.5 else 1 end

-- name: take_turns
-- Waits until no other pass is under way, and keeps others waiting until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('gallery:trending', 0))

-- name: newest
-- The newest snapshot: how many posts it has, and its age; and the age of the newest of all posts.
select snapshot.size,
       clock_timestamp() - snapshot.created_at as age,
       clock_timestamp() - (
           select max(whole.created_at) from trending_snapshots as whole where whole.is_whole
       ) as whole_age
from trending_snapshots as snapshot
order by snapshot.created_at desc
limit 1

-- name: exists
-- A row if the snapshot $1 is still kept.
select from trending_snapshots where id = $1::uuid

-- part: taken
-- Writes the posts `best` as the snapshot $1, chosen from all posts or not ($3); no row where there are none.
snapshot as (
    insert into trending_snapshots (id, size, created_at, is_whole, open_since)
    select $1::uuid, count(*), clock_timestamp(), $3::boolean,
           pg_snapshot_xmin(pg_current_snapshot())
    from best
    having count(*) > 0
    returning id, size, created_at
), ranked as materialized (
    select row_number() over (order by score desc, id desc) as rank, id, asset_type, score
    from best
), entry as (
    insert into trending_entries (snapshot_id, rank, post_id, asset_type, score)
    select snapshot.id, ranked.rank, ranked.id, ranked.asset_type, ranked.score
    from ranked cross join snapshot
), list as (
    insert into trending_lists (snapshot_id, key, places)
    select snapshot.id, listed.key, array_agg(listed.place order by listed.place)
    from (
        select named.key, ranked.rank::integer * 8 + asset_type_number(ranked.asset_type) as place
        from ranked
        cross join lateral (  -- each is looked up by itself: a join may read all posts once more
            select user_id, tags from community_posts where community_posts.id = ranked.id limit 1
        ) as post
        cross join lateral (
            select 'user ' || post.user_id as key
            union all
            select 'tag ' || tag from unnest(post.tags) as tag
        ) as named
    ) as listed
    cross join snapshot
    group by snapshot.id, listed.key
)
select size, created_at from snapshot

-- name: take
-- Takes the snapshot $1 of the best $2 posts as of now; no row where there are no posts.
with best as (
    select post.id, post.asset_type,
        -- include: gallery/trending.score
        as score
    from community_posts as post
    where not post.is_hidden
    order by score desc, post.id desc
    limit $2
),
-- include: gallery/trending.taken

-- name: take_hot
-- The same of the posts that are in the newest snapshot, or are hot: something was told of them or they
-- were viewed since it was taken.
with newest as (
    select id, created_at, open_since from trending_snapshots order by created_at desc limit 1
), candidate as (
    select entry.post_id as id
    from newest
    join trending_entries as entry on entry.snapshot_id = newest.id
    union
    select substring(event.topic from 6)::uuid
    from newest
    join events as event on event.xid >= newest.open_since
    where event.topic like 'post:%'
    union
    select substring(event.subject from 6)::uuid
    from newest
    join events as event on event.xid >= newest.open_since
    where event.topic = 'gallery' and event.subject like 'post:%'
    union
    select mark.post_id
    from newest
    join view_marks as mark on mark.counted_at >= newest.created_at
), best as (
    select post.id, post.asset_type,
        -- include: gallery/trending.score
        as score
    from candidate
    join community_posts as post using (id)
    where not post.is_hidden
    order by score desc, post.id desc
    limit $2
),
-- include: gallery/trending.taken

-- name: forget
-- Removes the snapshots that are older than $1, but for the newest, with their entries.
delete from trending_snapshots
where created_at < clock_timestamp() - $1::interval
    and created_at < (select max(created_at) from trending_snapshots)
