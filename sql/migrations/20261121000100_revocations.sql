-- migrate:up

-- Tokens that are good no longer, though they have not expired. `token_id` is the `jti`; null stands for every
-- token of the user that was issued before `revoked_at`. No foreign key: a row outlives its user, who would
-- come into being anew with an old token.
create table revoked_tokens (
    user_id uuid not null,
    token_id text check (char_length(token_id) between 1 and 255),
    revoked_at timestamptz not null default clock_timestamp(),
    unique nulls not distinct (user_id, token_id)
);
create index revoked_tokens_oldest on revoked_tokens (revoked_at);
select outside.close('revoked_tokens');

-- Whoever deletes a user, by whatever way, ends their sessions.
create function revoke_tokens_of_deleted() returns trigger language plpgsql as $$
begin
    insert into revoked_tokens (user_id, token_id)
    select gone.id, null from gone order by gone.id
    on conflict (user_id, token_id) do update set revoked_at = clock_timestamp();
    perform journal_append(
        array_agg('revocations'::text), array_agg('session:revoked'::text), array_agg(null::text),
        array_agg(null::text),
        array_agg(json_build_object('user_id', revoked.user_id, 'token_id', null,
                                    'valid_after', revoked.revoked_at)::text order by revoked.user_id),
        array_agg(null::uuid)
    )
    from revoked_tokens as revoked join gone on gone.id = revoked.user_id and revoked.token_id is null
    having count(*) > 0;
    return null;
end
$$;
create trigger revoke_tokens after delete on users
    referencing old table as gone for each statement execute function revoke_tokens_of_deleted();

-- migrate:down

drop trigger revoke_tokens on users;
drop function revoke_tokens_of_deleted;
drop table revoked_tokens;
