-- name: find
-- What there is behind tokens, each of a user ($1) and of a name ($2): a row for each, in their order.
select users.id, users.display_name, users.avatar_url, users.subscription_tier, users.role,
       greatest(users.tokens_valid_after, everywhere.revoked_at) as tokens_valid_after,
       this.user_id is not null as is_revoked
from unnest($1::uuid[], $2::text[]) with ordinality as claimed (user_id, token_id, place)
left join users on users.id = claimed.user_id
left join revoked_tokens as everywhere
    on everywhere.user_id = claimed.user_id and everywhere.token_id is null
left join revoked_tokens as this
    on this.user_id = claimed.user_id and this.token_id = claimed.token_id
order by claimed.place

-- name: save
-- Makes users, or brings them up to date with what their tokens say; nothing said changes nothing.
insert into users (id, external_id, display_name, avatar_url, subscription_tier)
select id, external_id, coalesce(name, left(id::text, 8)), picture, coalesce(tier, 'free')
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
    as claimed (id, external_id, name, picture, tier)
order by id
on conflict (id) do update set
    display_name = coalesce((
        select name from unnest($1::uuid[], $3::text[]) as said (id, name) where said.id = users.id
    ), users.display_name),
    avatar_url = coalesce(excluded.avatar_url, users.avatar_url),
    subscription_tier = coalesce((
        select tier from unnest($1::uuid[], $5::text[]) as said (id, tier) where said.id = users.id
    ), users.subscription_tier)
returning id, display_name, avatar_url, subscription_tier, role

-- name: summary
-- How a user appears beside what they did.
select id, display_name, avatar_url, subscription_tier from users where id = $1

-- name: anybody
-- One user, if there is any.
select id from users limit 1
