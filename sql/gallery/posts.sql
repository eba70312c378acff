-- part: post
-- A Post, column by column, which `post_of` knows by position: `post` is the row as `reader` sees it.
post.id, post.user_id, post.asset_id, post.title, post.description,
case when post.show_prompt or post.user_id = reader.id then post.prompt_used end as prompt_used,
post.show_prompt, post.tags, post.asset_type, post.asset_url,
post.like_count, post.comment_count, post.view_count, post.is_featured,
(
    select inspiring.id
    from community_posts as inspiring
    where inspiring.id = post.inspired_by_post_id
        and (not inspiring.is_hidden or inspiring.user_id = reader.id or reader.moderates)
) as inspired_by_post_id,
post.created_at, nullif(post.updated_at, post.created_at) as changed_at,
author.display_name, author.avatar_url, author.subscription_tier,
coalesce((  -- not `exists`: that may be planned as a hash of all that the reader ever liked
    select true from community_likes as likes
    where likes.post_id = post.id and likes.user_id = reader.id
), false) as is_liked,
'post:' || post.id as topic, coalesce(head.seq, 0) as seq,
case when post.user_id = reader.id or reader.moderates then post.is_hidden end as is_hidden

-- part: around
-- What a Post needs beside its row.
join users as author on author.id = post.user_id
left join topics as head on head.topic = 'post:' || post.id

-- part: visible
-- Whether `reader` may know of `post`.
(not post.is_hidden or post.user_id = reader.id or reader.moderates)

-- name: may_see
-- Whether there is each of the posts $1 and the reader beside it ($2), who moderates or not ($3), may
-- know of it; in order.
select coalesce((
    select
        -- include: gallery/posts.visible
    from community_posts as post
    where post.id = reader.post_id
), false) as may_see
from unnest($1::uuid[], $2::uuid[], $3::boolean[])
    with ordinality as reader (post_id, id, moderates, place)
order by reader.place

-- name: get
-- The post $3 and its trending score of this moment, for the reader $1, who moderates or not ($2).
select
    -- include: gallery/posts.post
    ,
    -- include: gallery/trending.score
    as trending_score
from community_posts as post
-- include: gallery/posts.around
cross join (select $1::uuid as id, $2::boolean as moderates) as reader
where post.id = $3::uuid and
    -- include: gallery/posts.visible

-- name: engagement
-- How the post $1 is received, for the reader $2, who moderates or not ($3).
select post.like_count, post.comment_count, post.view_count,
       exists (
           select from community_likes as likes
           where likes.post_id = post.id and likes.user_id = reader.id
       ) as is_liked
from community_posts as post
cross join (select $2::uuid as id, $3::boolean as moderates) as reader
where post.id = $1::uuid and
    -- include: gallery/posts.visible

-- name: seen
-- Each of the posts $1 as the reader beside it ($2), who moderates or not ($3), sees it; in order, and
-- hidden or not.
select
    -- include: gallery/posts.post
from unnest($1::uuid[], $2::uuid[], $3::boolean[])
    with ordinality as reader (post_id, id, moderates, place)
join community_posts as post on post.id = reader.post_id
-- include: gallery/posts.around
order by reader.place

-- name: lock_assets
-- Locks these assets in order of id: an asset is shared by one post.
select id, user_id, asset_type, url, prompt
from assets
where id = any ($1::uuid[])
order by id
for no key update

-- name: lock
-- Locks these posts in order of id, and tells what a change to them needs to know.
select id, user_id, title, description, tags, show_prompt, like_count, is_featured, is_hidden,
       inspired_by_post_id, created_at
from community_posts
where id = any ($1::uuid[])
order by id
for no key update

-- name: tied
-- The posts $1, those that inspired them, and those that they inspired.
select id from community_posts where id = any ($1::uuid[])
union
select inspired_by_post_id
from community_posts
where id = any ($1::uuid[]) and inspired_by_post_id is not null
union
select id from community_posts where inspired_by_post_id = any ($1::uuid[])

-- name: taken
-- The posts that have one of the ids $1 or share one of the assets $2, and what they were made as. All but
-- the id is null for a post that was deleted: its topic is left.
select id, user_id, asset_id, title, description, tags, show_prompt, inspired_by_post_id, made_as
from community_posts
where id = any ($1::uuid[]) or asset_id = any ($2::uuid[])
union all
select given.id, null, null, null, null, null, null, null, null
from unnest($1::uuid[]) as given (id)
where exists (select from topics where topics.topic = 'post:' || given.id)
    and not exists (select from community_posts as post where post.id = given.id)

-- name: add
-- Writes posts, each with what its asset is; when each was made.
insert into community_posts (
    id, user_id, asset_id, title, description, prompt_used, show_prompt, tags, asset_type, asset_url,
    inspired_by_post_id, made_as, created_at, updated_at
)
select
    given.id, given.user_id, given.asset_id, given.title, given.description, asset.prompt,
    given.show_prompt, string_to_array(given.tags, ','), asset.asset_type, asset.url,
    given.inspired_by_post_id, given.made_as, moment.at, moment.at
from unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::uuid[],
    $9::bytea[]
) with ordinality as given (
    id, user_id, asset_id, title, description, show_prompt, tags, inspired_by_post_id, made_as, place
)
join assets as asset on asset.id = given.asset_id
cross join lateral (select clock_timestamp() as at, given.place) as moment
order by given.place
returning id, user_id, inspired_by_post_id, created_at

-- name: count
-- Adds one to the post count of each of the users $1, who may stand there more than once.
insert into community_user_stats (user_id, post_count)
select user_id, count(*) from unnest($1::uuid[]) as author (user_id)
group by user_id
order by user_id
on conflict (user_id) do update
set post_count = community_user_stats.post_count + excluded.post_count, updated_at = now()

-- name: inspired
-- The newest users ($2 at most) whom each of the posts $1 inspired, its author aside, each with their newest post.
select inspiring.id as post_id, author.*
from community_posts as inspiring
cross join lateral (
    select users.id, users.display_name, users.avatar_url, users.subscription_tier,
           max(post.created_at) as inspired_at
    from community_posts as post
    join users on users.id = post.user_id
    where post.inspired_by_post_id = inspiring.id
        and post.user_id <> inspiring.user_id
        and not post.is_hidden
    group by users.id
    order by inspired_at desc
    limit $2
) as author
where inspiring.id = any ($1::uuid[])
order by inspiring.id, author.inspired_at desc

-- name: change
-- Gives the locked posts $1 these titles, descriptions, tags and choices about their prompts.
update community_posts as post
set title = given.title,
    description = given.description,
    tags = string_to_array(given.tags, ','),
    show_prompt = given.show_prompt,
    updated_at = clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[])
    as given (id, title, description, tags, show_prompt)
where post.id = given.id

-- name: withhold_prompts
-- Takes the prompt out of what the journal has told of these subjects.
update events
set data = jsonb_set(data::jsonb, '{post,prompt_used}', 'null')::json
where subject = any ($1::text[]) and data -> 'post' ->> 'prompt_used' is not null

-- name: delete
-- Deletes the locked posts $1, and with them their likes, comments and reports.
delete from community_posts where id = any ($1::uuid[])

-- name: discount
-- Takes a post with $2 likes off the statistics of each of the users $1, who may stand there more than once.
with given as (
    select user_id, count(*) as posts, sum(likes) as likes
    from unnest($1::uuid[], $2::integer[]) as gone (user_id, likes)
    group by user_id
), locked as (
    select user_id
    from community_user_stats
    where user_id = any ($1::uuid[])
    order by user_id
    for no key update
)
update community_user_stats as stats
set post_count = stats.post_count - given.posts,
    total_likes_received = stats.total_likes_received - given.likes,
    updated_at = now()
from locked join given using (user_id)
where stats.user_id = locked.user_id
