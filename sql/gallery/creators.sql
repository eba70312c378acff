-- name: find
-- Those of the users $1 that there are, and whether they may write.
select users.id, users.display_name, users.avatar_url, users.subscription_tier,
       coalesce(stats.is_banned, false) as is_banned
from users
left join community_user_stats as stats on stats.user_id = users.id
where users.id = any ($1::uuid[])

-- name: profile
-- The user $1 as the reader $2, perhaps null, who moderates or not ($3), sees them: hidden posts and
-- their likes are counted for those only who may see them.
select users.id, users.display_name, users.avatar_url, users.subscription_tier,
       users.created_at as joined_at,
       coalesce(stats.post_count, 0) - hidden.posts as post_count,
       coalesce(stats.total_likes_received, 0) - hidden.likes as total_likes_received,
       coalesce(stats.follower_count, 0) as follower_count,
       coalesce(stats.following_count, 0) as following_count,
       exists (
           select from community_follows
           where follower_id = $2::uuid and following_id = users.id
       ) as is_following
from users
left join community_user_stats as stats on stats.user_id = users.id
cross join lateral (
    select count(*) as posts, coalesce(sum(post.like_count), 0) as likes
    from community_posts as post
    where post.user_id = users.id
        and post.is_hidden
        and users.id is distinct from $2
        and not $3::boolean
) as hidden
where users.id = $1::uuid
