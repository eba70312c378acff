-- name: posts_of
-- On which posts the comments $1 stand.
select distinct post_id from community_comments where id = any ($1::uuid[])

-- name: lock_posts
-- Locks these posts in order of id, and tells what a comment needs to know of them.
select id, user_id, title, is_hidden, comment_count from posts_locked($1)

-- name: find
-- Those of the comments $1 that there are, with their authors and how long ago each was made.
select comments.id, comments.post_id, comments.content, comments.is_edited,
       comments.created_at, comments.updated_at,
       clock_timestamp() - comments.created_at as age,
       users.id as author_id, users.display_name as author_display_name,
       users.avatar_url as author_avatar_url, users.subscription_tier as author_subscription_tier
from community_comments as comments
join users on users.id = comments.user_id
where comments.id = any ($1::uuid[])

-- name: post
-- The post $1, and whether the reader $2, perhaps null, may write nothing.
select id, user_id, title, is_hidden, comment_count,
       coalesce((
           select stats.is_banned from community_user_stats as stats where stats.user_id = $2::uuid
       ), false) as is_banned
from community_posts
where id = $1::uuid

-- name: page
-- At most $4 comments on the post $1 after the position ($2, $3) and $5 more, oldest first.
select comments.id, comments.post_id, comments.content, comments.is_edited,
       comments.created_at, comments.updated_at,
       clock_timestamp() - comments.created_at as age,
       users.id as author_id, users.display_name as author_display_name,
       users.avatar_url as author_avatar_url, users.subscription_tier as author_subscription_tier
from community_comments as comments
join users on users.id = comments.user_id
where comments.post_id = $1::uuid
    and (comments.created_at, comments.id) > ($2::timestamptz, $3::uuid)
order by comments.created_at, comments.id
limit $4 offset $5

-- name: told
-- What the journal says of the making of these subjects: null where it was taken back since.
select subject, data -> 'comment' ->> 'content' as content
from events
where subject = any ($1::text[]) and type = 'comment:created'

-- name: add
-- Writes comments in order; when each was made is read under its post's lock.
insert into community_comments (id, post_id, user_id, content, is_edited, created_at, updated_at)
select id, post_id, user_id, content, is_edited, made_at, made_at
from (
    select *, clock_timestamp() as made_at
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::boolean[])
        as given (id, post_id, user_id, content, is_edited)
) as made
returning id, created_at

-- name: edit
-- Gives the comments $1 the contents $2.
update community_comments as comments
set content = given.content, is_edited = true, updated_at = clock_timestamp()
from unnest($1::uuid[], $2::text[]) as given (id, content)
where comments.id = given.id
returning comments.id, comments.updated_at

-- name: remove
-- Takes comments away; those that were there.
delete from community_comments where id = any ($1::uuid[]) returning id

-- name: count
-- Adds $2 to the comment counts of the locked posts $1; a post may stand there more than once.
update community_posts as post
set comment_count = post.comment_count + given.growth
from (
    select id, sum(growth) as growth
    from unnest($1::uuid[], $2::integer[]) as given (id, growth)
    group by id
) as given
where post.id = given.id and given.growth <> 0

-- name: latest
-- Of the newest $2 comments on each of the posts $1 that are not its author's: who wrote, and when last.
select post.id as post_id, users.id, users.display_name, users.avatar_url, users.subscription_tier,
       last.commented_at
from unnest($1::uuid[]) as given (id)
join community_posts as post on post.id = given.id
cross join lateral (
    select newest.user_id, max(newest.created_at) as commented_at
    from (
        select user_id, created_at
        from community_comments as comments
        where comments.post_id = post.id and comments.user_id <> post.user_id
        order by created_at desc, id desc
        limit $2
    ) as newest
    group by newest.user_id
) as last
join users on users.id = last.user_id
order by post.id, last.commented_at desc
