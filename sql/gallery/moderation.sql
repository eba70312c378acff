-- name: with_inspiring
-- The post $1, and the one that inspired it.
select unnest(array[id, inspired_by_post_id]) as id from community_posts where id = $1::uuid

-- name: feature
-- Says of the locked post $1 whether it is featured.
update community_posts set is_featured = $2 where id = $1::uuid

-- name: hide
-- Says of the locked post $1 whether it is hidden.
update community_posts set is_hidden = $2 where id = $1::uuid

-- name: make_stats
-- Gives the user $1 a row of statistics, if there is none yet.
insert into community_user_stats (user_id) values ($1::uuid) on conflict do nothing

-- name: ban
-- Says of the user $1 whether they are banned from now on, and why ($3); a row if they were not so before.
update community_user_stats
set is_banned = $2::boolean,
    banned_at = case when $2 then clock_timestamp() end,
    banned_reason = case when $2 then $3::text end,
    updated_at = now()
where user_id = $1::uuid and is_banned <> $2
returning user_id

-- name: banned
-- How the user $1, who has statistics, stands.
select user_id, is_banned, banned_at, banned_reason
from community_user_stats
where user_id = $1::uuid
