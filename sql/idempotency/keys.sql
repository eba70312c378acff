-- name: claim
-- Notes that the user $1 asks for the operation $2 under the key $3 for the first time: a row, unless that was
-- noted within $6. Its commit is not waited for: that of whatever follows from it brings it to disk too.
insert into idempotency_keys as known (user_id, operation, key, request, made_id)
select users.id, $2::text, $3::text, $4::bytea, $5::uuid
from users
cross join (select set_config('synchronous_commit', 'off', true)) as unhurried
where users.id = $1::uuid
on conflict (user_id, operation, key) do update
set request = excluded.request, made_id = excluded.made_id, status = null, answer = null,
    created_at = now()
where known.created_at <= now() - $6::interval
returning request, made_id, status, answer

-- name: find
-- What the user $1 asked for by the operation $2 under the key $3.
select request, made_id, status, answer
from idempotency_keys
where user_id = $1::uuid and operation = $2::text and key = $3::text

-- name: keep
-- Keeps the answer ($5, $6) to the request $4 under the key $3 for the operation $2 of the user $1: a row, unless
-- one is kept already.
update idempotency_keys
set status = $5::smallint, answer = $6::bytea
from (select set_config('synchronous_commit', 'off', true)) as unhurried
where user_id = $1::uuid and operation = $2::text and key = $3::text
    and request = $4::bytea and status is null
returning request, made_id, status, answer

-- name: forget
-- Forgets at most $2 of the keys that are older than $1; a row for each.
delete from idempotency_keys
where (user_id, operation, key) in (
    select user_id, operation, key
    from idempotency_keys
    where created_at <= now() - $1::interval
    order by created_at
    limit $2
    for update skip locked
)
returning 1
