-- migrate:up

-- Whoever has shown a valid token once. `external_id` is the token's `sub`.
create table users (
    id uuid primary key,
    external_id text not null unique,
    display_name text not null check (char_length(display_name) between 1 and 100),
    avatar_url text,
    role text not null default 'user' check (role in ('user', 'moderator', 'admin')),
    subscription_tier text not null default 'free',
    tokens_valid_after timestamptz,
    created_at timestamptz not null default now()
);

-- migrate:down

drop table users;
