-- name: taken
-- Those of the ids $1 that assets have.
select id, user_id, asset_type, url, prompt, created_at from assets where id = any ($1::uuid[])

-- name: add
-- Writes assets; when they were made.
insert into assets (id, user_id, asset_type, url, prompt, created_at)
select *, clock_timestamp() from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
returning id, created_at

-- name: of_user
-- What the user $1 made, newest first: at most $4 after the position ($2, $3) and $5 more.
with placed as (
    select created_at as listed_at, id as listed_id
    from assets
    where user_id = $1::uuid and (created_at, id) < ($2::timestamptz, $3::uuid)
    order by created_at desc, id desc
    limit 51 offset $5
)
select asset.id, asset.user_id, asset.asset_type, asset.url, asset.prompt, asset.created_at,
       placed.listed_at, placed.listed_id
from placed
join assets as asset on asset.id = placed.listed_id
order by placed.listed_at desc, placed.listed_id desc
limit $4

-- name: count_of_user
-- How much the user $1 made.
select count(*) as total from assets where user_id = $1::uuid
