-- name: look
-- Locks the posts of the pairs ($1, $2) of post and user in order of id, and tells what a batch of likes needs
-- to know of them and of those users.
select id, user_id, title, is_hidden, like_count, seq, likers, banned, unknown
from likes_look($1, $2)

-- name: write
-- Writes likes with the ids $1 for the pairs ($2, $3), and takes away those of the pairs ($4, $5). The
-- locked posts $6 with the authors $7 and titles $8 grow by $9, and notifications $10 may begin. A row for each
-- post: its newest $11 likers, and what became of the notification, which names at most $12 of them.
select post_id, likers, notice_id, notice_begins, notice_actor_ids, notice_count, notice_created_at,
       notice_updated_at
from likes_held($4, $5) as held (posts)
cross join lateral likes_write($1, $2, $3, held.posts, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: likers
-- Who likes the post $1, newest first, for the reader $2, who moderates or not ($3): at most $6 after the
-- position ($4, $5) and $7 more. A row without a liker where there is none.
select post.like_count as total, liker.*
from community_posts as post
cross join (select $2::uuid as id, $3::boolean as moderates) as reader
left join lateral (
    select placed.listed_at, placed.listed_id,
           users.id, users.display_name, users.avatar_url, users.subscription_tier
    from (
        select likes.created_at as listed_at, likes.user_id as listed_id
        from community_likes as likes
        where likes.post_id = post.id
            and (likes.created_at, likes.user_id) < ($4::timestamptz, $5::uuid)
        order by likes.created_at desc, likes.user_id desc
        limit 51 offset $7
    ) as placed
    join users on users.id = placed.listed_id
    order by placed.listed_at desc, placed.listed_id desc
    limit $6
) as liker on true
where post.id = $1::uuid and
    -- include: gallery/posts.visible
order by liker.listed_at desc, liker.listed_id desc

-- name: liked
-- The posts that the reader $1 likes, who moderates or not ($2), newest like first: at most $5 after the
-- position ($3, $4) and $6 more.
with placed as (
    select likes.created_at as listed_at, likes.post_id as listed_id
    from community_likes as likes
    join community_posts as post on post.id = likes.post_id
    cross join (select $1::uuid as id, $2::boolean as moderates) as reader
    where likes.user_id = reader.id
        and (likes.created_at, likes.post_id) < ($3::timestamptz, $4::uuid) and
        -- include: gallery/posts.visible
    order by likes.created_at desc, likes.post_id desc
    limit 51 offset $6
)
select
    -- include: gallery/posts.post
    , placed.listed_at, placed.listed_id
from placed
join community_posts as post on post.id = placed.listed_id
-- include: gallery/posts.around
cross join (select $1::uuid as id, $2::boolean as moderates) as reader
order by placed.listed_at desc, placed.listed_id desc
limit $5

-- name: count_liked
-- How many posts the reader $1 likes, who moderates or not ($2), and may know of: all but those that
-- are hidden from them, which are few.
select (select count(*) from community_likes as likes where likes.user_id = $1::uuid)
    - (
        select count(*)
        from community_posts as post
        join community_likes as likes on likes.post_id = post.id and likes.user_id = $1::uuid
        where post.is_hidden and post.user_id <> $1::uuid and not $2::boolean
    ) as total
