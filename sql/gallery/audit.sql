-- name: walk_posts
-- The next $2 posts after $1.
select id as key from community_posts where id > $1::uuid order by id limit $2::integer

-- part: mark
-- What waits to be settled of each row that was written from outside: its counters do not know of `net`.
mark as materialized (
    select noun, user_id, parent_id, was,
           case deed when 'made' then 1 when 'gone' then -1 else 0 end as net
    from outside.writes
)

-- name: compare_posts
-- Which counters of the posts $1 differ from the rows they count and should know of.
with
    -- include: gallery/audit.mark
select post.id as key, 'post ' || post.id as subject, counter.what, counter.said, counter.are
from community_posts as post
cross join lateral (
    select coalesce(sum(net) filter (where noun = 'like'), 0) as likes,
           coalesce(sum(net) filter (where noun = 'comment'), 0) as comments
    from mark
    where mark.parent_id = post.id
) as waiting
cross join lateral (values
    ('like_count', post.like_count, (
        select count(*) from community_likes as likes where likes.post_id = post.id
    ) - waiting.likes),
    ('comment_count', post.comment_count, (
        select count(*) from community_comments as comments where comments.post_id = post.id
    ) - waiting.comments)
) as counter (what, said, are)
where post.id = any ($1::uuid[]) and counter.said <> counter.are
order by post.id

-- name: mend_posts
-- Gives the locked posts $1 the counts of likes ($2) and comments ($3), where one is given.
update community_posts as post
set like_count = coalesce(given.likes, post.like_count),
    comment_count = coalesce(given.comments, post.comment_count)
from unnest($1::uuid[], $2::integer[], $3::integer[]) as given (id, likes, comments)
where post.id = given.id

-- name: compare_standings
-- Which of the posts $1 do not stand where their likes and tags place them, though the standings know of all that
-- was told of them.
select post.id as key, 'post ' || post.id as subject, counter.what, counter.said, counter.are
from community_posts as post
cross join standings_pass as pass
cross join lateral (
    select count(*) as rows, sum(standing.likes) as likes
    from post_standings as standing
    where standing.post_id = post.id and standing.is_hidden = post.is_hidden
        and (standing.tag = '' or standing.tag = any (post.tags))
) as stood
cross join lateral (
    select count(distinct tag) as rows from unnest(array_prepend('', post.tags)) as tag
) as due
cross join lateral (values
    ('standings', stood.rows, due.rows),
    ('likes in all standings', coalesce(stood.likes, 0), due.rows * post.like_count)
) as counter (what, said, are)
where post.id = any ($1::uuid[])
    and counter.said <> counter.are
    and not exists (
        select
        from events as event
        where event.topic = 'post:' || post.id
            and not pg_visible_in_snapshot(event.xid, pass.knows)
    )
order by post.id

-- name: clear_standings
-- Takes away the standings of the posts $1.
delete from post_standings where post_id = any ($1::uuid[])

-- name: write_standings
-- Places the locked posts $1, which stand nowhere.
insert into post_standings (post_id, tag, user_id, asset_type, likes, is_hidden)
select distinct id, tag, user_id, asset_type, like_count, is_hidden
from community_posts, unnest(array_prepend('', tags)) as tag
where id = any ($1::uuid[])

-- name: walk_stats
-- The next $2 users after $1.
select id as key from users where id > $1::uuid order by id limit $2::integer

-- name: compare_stats
-- Which statistics of the users $1 differ from the rows they count and should know of; who has none is said
-- to have nothing.
with
    -- include: gallery/audit.mark
select users.id as key, 'user ' || users.id as subject, counter.what, counter.said, counter.are
from users
left join community_user_stats as stats on stats.user_id = users.id
cross join lateral (values
    ('post_count', coalesce(stats.post_count, 0), (
        select count(*) from community_posts as post where post.user_id = users.id
    ) - (
        select coalesce(sum(net), 0) from mark where noun = 'post' and mark.user_id = users.id
    )),
    ('total_likes_received', coalesce(stats.total_likes_received, 0), (
        select count(*)
        from community_posts as post
        join community_likes as likes on likes.post_id = post.id
        where post.user_id = users.id
    ) - (
        select coalesce(sum(net), 0)
        from mark
        join community_posts as post on post.id = mark.parent_id
        where noun = 'like' and post.user_id = users.id
    ) + (
        select coalesce(sum((was ->> 'like_count')::integer), 0)
        from mark
        where noun = 'post' and net < 0 and mark.user_id = users.id
    )),
    ('follower_count', coalesce(stats.follower_count, 0), (
        select count(*) from community_follows as follows where follows.following_id = users.id
    ) - (
        select coalesce(sum(net), 0) from mark where noun = 'follow' and mark.parent_id = users.id
    )),
    ('following_count', coalesce(stats.following_count, 0), (
        select count(*) from community_follows as follows where follows.follower_id = users.id
    ) - (
        select coalesce(sum(net), 0) from mark where noun = 'follow' and mark.user_id = users.id
    ))
) as counter (what, said, are)
where users.id = any ($1::uuid[]) and counter.said <> counter.are
order by users.id

-- name: make_stats
-- Gives those of the users $1 a row of statistics who have none.
insert into community_user_stats (user_id)
select user_id from unnest($1::uuid[]) as given (user_id)
order by user_id
on conflict do nothing

-- name: lock_stats
-- Locks the statistics of these users in order of id.
select user_id
from community_user_stats
where user_id = any ($1::uuid[])
order by user_id
for no key update

-- name: mend_stats
-- Gives the locked users $1 these counts, where one is given.
update community_user_stats as stats
set post_count = coalesce(given.posts, stats.post_count),
    total_likes_received = coalesce(given.likes, stats.total_likes_received),
    follower_count = coalesce(given.followers, stats.follower_count),
    following_count = coalesce(given.following, stats.following_count),
    updated_at = now()
from unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[], $5::integer[])
    as given (user_id, posts, likes, followers, following)
where stats.user_id = given.user_id

-- name: walk_notices
-- The next $2 notifications after $1.
select id as key from notifications where id > $1::uuid order by id limit $2::integer

-- name: compare_notices
-- Which of the unseen notifications $1 count something else than what others did since they began. What waits
-- to be settled may change them, so those of which something waits are left out.
select notice.id as key, 'notification ' || notice.id as subject, 'count' as what,
       notice.count as said, counted.are
from notifications as notice
cross join lateral (
    select case notice.kind
        when 'post_liked' then (
            select count(*)
            from community_likes as likes
            where likes.post_id = notice.subject_id
                and likes.user_id <> notice.user_id
                and likes.created_at >= notice.created_at
        )
        when 'post_commented' then (
            select count(*)
            from community_comments as comments
            where comments.post_id = notice.subject_id
                and comments.user_id <> notice.user_id
                and comments.created_at >= notice.created_at
        )
        when 'user_followed' then (
            select count(*)
            from community_follows as follows
            where follows.following_id = notice.subject_id
                and follows.created_at >= notice.created_at
        )
        when 'post_inspired' then (
            select count(*)
            from community_posts as post
            where post.inspired_by_post_id = notice.subject_id
                and post.user_id <> notice.user_id
                and not post.is_hidden
                and post.created_at >= notice.created_at
        )
    end as are
) as counted
where notice.id = any ($1::uuid[]) and not notice.seen and notice.count <> counted.are
    and not exists (select from outside.writes where parent_id = notice.subject_id)
order by notice.id

-- name: lock_subjects
-- Locks the posts that the notifications $1 are about: nothing is added to those that tell of them meanwhile.
select id
from community_posts
where id in (
    select subject_id from notifications where id = any ($1::uuid[]) and subject_type = 'post'
)
order by id
for no key update

-- name: lock_receivers
-- Locks the statistics of those whom the notifications $1 tell of followers.
select user_id
from community_user_stats
where user_id in (
    select subject_id from notifications where id = any ($1::uuid[]) and subject_type = 'user'
)
order by user_id
for no key update
