-- What the peers keep: the same facts as the gateway, without what they do not promise.
create table posts (
    id uuid primary key,
    like_count integer not null default 0,
    comment_count integer not null default 0
) with (fillfactor = 70);

create table likes (
    post_id uuid not null,
    user_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (post_id, user_id)
);

create table comments (
    id uuid primary key default gen_random_uuid(),
    post_id uuid not null,
    user_id uuid not null,
    content text not null,
    created_at timestamptz not null default now()
);
create index comments_of_post on comments (post_id, created_at, id);

create table events (
    id bigint generated always as identity primary key,
    topic text not null,
    type text not null,
    data jsonb not null,
    created_at timestamptz not null default now()
);
