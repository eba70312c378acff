-- name: waiting
-- Whether anything that was written from outside waits to be settled.
select exists (select from outside.writes) as waiting

-- name: next
-- The rows that the next $2 marks after the place $1 are about, and the posts that hang together with them.
select place, row_id,
       case noun when 'post' then array_remove(array[row_id, parent_id], null)
           when 'follow' then '{}'
           else array[parent_id]
       end as posts
from outside.writes
where place > $1::bigint
order by place
limit $2

-- name: bound_waiting
-- How long this transaction waits for a lock.
select set_config('lock_timeout', $1::text, true)

-- name: lock_free
-- Locks those of the posts $1 that nobody else has locked, in order of id.
select id, user_id, title, is_hidden
from community_posts
where id = any ($1::uuid[])
order by id
for no key update skip locked

-- name: lock
-- Locks the posts $1 in order of id, waiting for whoever has one.
select id, user_id, title, is_hidden
from community_posts
where id = any ($1::uuid[])
order by id
for no key update

-- name: there
-- Which of the posts $1 there are, locked or not.
select id from community_posts where id = any ($1::uuid[])

-- name: take
-- Takes all marks about the rows $1, and all about what hangs on the locked posts $2; in order.
with taken as (
    delete from outside.writes
    where row_id = any ($1::uuid[]) or noun <> 'post' and parent_id = any ($2::uuid[])
    returning place, noun, deed, row_id, user_id, parent_id, made_at, actor_id, was,
              made_at > noted_at - $3::interval as is_fresh
)
select * from taken order by place

-- name: stamp_likes
-- The likes $1 begin now, except those that somebody has locked.
update community_likes as likes
set created_at = clock_timestamp()
from (
    select id from community_likes where id = any ($1::uuid[]) order by id for no key update skip locked
) as free
where likes.id = free.id
returning likes.id, likes.created_at

-- name: stamp_comments
-- The comments $1 begin now, except those that somebody has locked.
update community_comments as comments
set created_at = moment.at, updated_at = moment.at
from (
    select id from community_comments where id = any ($1::uuid[]) order by id for no key update skip locked
) as free
cross join lateral (select clock_timestamp() as at, free.id) as moment
where comments.id = free.id
returning comments.id, comments.created_at

-- name: stamp_follows
-- The follows $1 begin now, except those that somebody has locked.
update community_follows as follows
set created_at = clock_timestamp()
from (
    select id from community_follows where id = any ($1::uuid[]) order by id for no key update skip locked
) as free
where follows.id = free.id
returning follows.id, follows.created_at

-- name: stamp_posts
-- The locked posts $1 begin now.
update community_posts as post
set created_at = moment.at, updated_at = moment.at
from unnest($1::uuid[]) as given (id)
cross join lateral (select clock_timestamp() as at, given.id) as moment
where post.id = given.id
returning post.id, post.created_at

-- name: lock_stats
-- Locks the statistics of these users in order of id.
select user_id
from community_user_stats
where user_id = any ($1::uuid[])
order by user_id
for no key update

-- name: grow_posts
-- Adds $2 to the likes and $3 to the comments of the locked posts $1; what they come to.
update community_posts as post
set like_count = post.like_count + given.likes, comment_count = post.comment_count + given.comments
from unnest($1::uuid[], $2::integer[], $3::integer[]) as given (id, likes, comments)
where post.id = given.id
returning post.id, post.like_count, post.comment_count

-- name: grow_stats
-- Adds to the posts ($2), likes ($3), followers ($4) and followed ($5) of the locked users $1; what they come to.
update community_user_stats as stats
set post_count = stats.post_count + given.posts,
    total_likes_received = stats.total_likes_received + given.likes,
    follower_count = stats.follower_count + given.followers,
    following_count = stats.following_count + given.following,
    updated_at = now()
from unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[], $5::integer[])
    as given (user_id, posts, likes, followers, following)
where stats.user_id = given.user_id
returning stats.user_id, stats.follower_count

-- name: likers
-- The newest $2 likers of each of the posts $1.
select given.id as parent_id, users.id, users.display_name, users.avatar_url, users.subscription_tier,
       newest.created_at as at
from unnest($1::uuid[]) as given (id)
cross join lateral (
    select user_id, created_at
    from community_likes as likes
    where likes.post_id = given.id
    order by created_at desc, user_id desc
    limit $2
) as newest
join users on users.id = newest.user_id
order by given.id, newest.created_at desc

-- name: commenters
-- Of the newest $2 comments on each of the posts $1: who wrote, and when last.
select given.id as parent_id, users.id, users.display_name, users.avatar_url, users.subscription_tier,
       last.at
from unnest($1::uuid[]) as given (id)
cross join lateral (
    select newest.user_id, max(newest.created_at) as at
    from (
        select user_id, created_at
        from community_comments as comments
        where comments.post_id = given.id
        order by created_at desc, id desc
        limit $2
    ) as newest
    group by newest.user_id
) as last
join users on users.id = last.user_id
order by given.id, last.at desc

-- name: followers
-- The newest $2 followers of each of the users $1.
select given.id as parent_id, users.id, users.display_name, users.avatar_url, users.subscription_tier,
       newest.created_at as at
from unnest($1::uuid[]) as given (id)
cross join lateral (
    select follower_id, created_at
    from community_follows as follows
    where follows.following_id = given.id
    order by created_at desc, follower_id desc
    limit $2
) as newest
join users on users.id = newest.follower_id
order by given.id, newest.created_at desc

-- name: comments
-- The comments $1 that there are, with their authors.
select comments.id, comments.post_id, comments.user_id, comments.content, comments.is_edited,
       comments.created_at, comments.updated_at,
       users.id as author_id, users.display_name as author_display_name,
       users.avatar_url as author_avatar_url, users.subscription_tier as author_subscription_tier
from community_comments as comments
join users on users.id = comments.user_id
where comments.id = any ($1::uuid[])

-- name: users
-- Those of the users $1 that there are.
select id, display_name, avatar_url, subscription_tier from users where id = any ($1::uuid[])

-- name: withhold_prompts
-- Takes the prompt out of what the journal has told of those of the posts $1 that do not show it.
update events
set data = jsonb_set(data::jsonb, '{post,prompt_used}', 'null')::json
where subject in (
        select 'post:' || id from community_posts where id = any ($1::uuid[]) and not show_prompt
    )
    and data -> 'post' ->> 'prompt_used' is not null
