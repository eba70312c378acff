-- name: make_stats
-- Gives those of the users $1 a row of statistics who have none, in order of id.
insert into community_user_stats (user_id)
select user_id
from unnest($1::uuid[]) as given (user_id)
where not exists (
    select from community_user_stats as stats where stats.user_id = given.user_id
)
order by user_id
on conflict do nothing

-- name: lock_stats
-- Locks the statistics of these users in order of id.
select user_id, follower_count
from community_user_stats
where user_id = any ($1::uuid[])
order by user_id
for no key update

-- name: standing
-- Which of the pairs ($1 follows $2) there are.
select follower_id, following_id
from community_follows
where (follower_id, following_id) in (select * from unnest($1::uuid[], $2::uuid[]))

-- name: add
-- Writes follows; when each was made is read under the lock of the followed user's statistics.
insert into community_follows (id, follower_id, following_id, created_at)
select *, clock_timestamp() from unnest($1::uuid[], $2::uuid[], $3::uuid[])
returning follower_id, following_id, created_at

-- name: remove
-- Takes follows away; when each had been made.
delete from community_follows as follows
using unnest($1::uuid[], $2::uuid[]) as pair (follower_id, following_id)
where follows.follower_id = pair.follower_id and follows.following_id = pair.following_id
returning follows.follower_id, follows.following_id, follows.created_at

-- name: count
-- Adds $2 to the followers and $3 to the followed of the locked users $1.
update community_user_stats as stats
set follower_count = stats.follower_count + given.followers,
    following_count = stats.following_count + given.following,
    updated_at = now()
from unnest($1::uuid[], $2::integer[], $3::integer[]) as given (user_id, followers, following)
where stats.user_id = given.user_id

-- name: latest
-- The newest $2 followers of each of the users $1.
select given.user_id as following_id, follower.*
from unnest($1::uuid[]) as given (user_id)
cross join lateral (
    select users.id, users.display_name, users.avatar_url, users.subscription_tier,
           follows.created_at as followed_at
    from community_follows as follows
    join users on users.id = follows.follower_id
    where follows.following_id = given.user_id
    order by follows.created_at desc
    limit $2
) as follower
order by given.user_id, follower.followed_at desc

-- name: followers
-- Who follows the user $1, newest first: at most $4 after the position ($2, $3) and $5 more. A row without
-- a follower where there is none.
select coalesce(stats.follower_count, 0) as total, follower.*
from users as followed
left join community_user_stats as stats on stats.user_id = followed.id
left join lateral (
    select placed.listed_at, placed.listed_id,
           users.id, users.display_name, users.avatar_url, users.subscription_tier
    from (
        select follows.created_at as listed_at, follows.follower_id as listed_id
        from community_follows as follows
        where follows.following_id = followed.id
            and (follows.created_at, follows.follower_id) < ($2::timestamptz, $3::uuid)
        order by follows.created_at desc, follows.follower_id desc
        limit 51 offset $5
    ) as placed
    join users on users.id = placed.listed_id
    order by placed.listed_at desc, placed.listed_id desc
    limit $4
) as follower on true
where followed.id = $1::uuid
order by follower.listed_at desc, follower.listed_id desc

-- name: following
-- Whom the user $1 follows, newest first: at most $4 after the position ($2, $3) and $5 more. A row without
-- anybody where they follow nobody.
select coalesce(stats.following_count, 0) as total, followed.*
from users as follower
left join community_user_stats as stats on stats.user_id = follower.id
left join lateral (
    select placed.listed_at, placed.listed_id,
           users.id, users.display_name, users.avatar_url, users.subscription_tier
    from (
        select follows.created_at as listed_at, follows.following_id as listed_id
        from community_follows as follows
        where follows.follower_id = follower.id
            and (follows.created_at, follows.following_id) < ($2::timestamptz, $3::uuid)
        order by follows.created_at desc, follows.following_id desc
        limit 51 offset $5
    ) as placed
    join users on users.id = placed.listed_id
    order by placed.listed_at desc, placed.listed_id desc
    limit $4
) as followed on true
where follower.id = $1::uuid
order by followed.listed_at desc, followed.listed_id desc

-- name: followers_of_authors
-- Who of the users $2 follows the author of each of the posts $1 that is there and not hidden.
select post.id as post_id, follows.follower_id
from community_posts as post
join community_follows as follows on follows.following_id = post.user_id
where post.id = any ($1::uuid[]) and not post.is_hidden and follows.follower_id = any ($2::uuid[])
