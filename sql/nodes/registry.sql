-- name: announce
-- The machine $1 is to be reached at $2 for another $3; whether the name is its own.
insert into nodes (node, url, expires_at)
values ($1, $2, clock_timestamp() + $3::interval)
on conflict (node) do update
set url = excluded.url, expires_at = excluded.expires_at
where nodes.url = excluded.url or nodes.expires_at < clock_timestamp()
returning true as ours

-- name: forget_gone
-- Drops the leases that expired more than $1 ago.
delete from nodes where expires_at < clock_timestamp() - $1::interval

-- name: list_nodes
-- The machines whose leases count, and where they are reached.
select node, url from nodes where expires_at > clock_timestamp()
