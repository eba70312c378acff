-- name: is_user
-- Whether there is a user $1.
select 1 from users where id = $1::uuid

-- name: revoke_token
-- The user $1's token of the name $2 is good no longer; a row if it was until now.
insert into revoked_tokens (user_id, token_id) values ($1::uuid, $2::text)
on conflict (user_id, token_id) do nothing
returning user_id

-- name: revoke_all
-- No token of the user $1 that was issued until now is good any more; since when.
update users set tokens_valid_after = greatest(tokens_valid_after, clock_timestamp())
where id = $1::uuid
returning tokens_valid_after

-- name: forget
-- Forgets up to $2 revocations older than $1: tokens of then have expired since.
delete from revoked_tokens
where ctid = any (array (
    select ctid from revoked_tokens where revoked_at < now() - $1::interval order by revoked_at limit $2
))
returning user_id
