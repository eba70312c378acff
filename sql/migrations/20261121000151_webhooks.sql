-- migrate:up

-- Who is told by HTTP of what happens. `secret` is sealed by a key that is not in the database; for some time after a
-- change `former_secret` signs, too. An endpoint that answers nobody is paused, then disabled. Its position in
-- the journal is that of the consumer `webhook:{id}`.
create table webhook_endpoints (
    id uuid primary key,
    url text not null check (char_length(url) between 1 and 2048),
    events text[] not null,
    topics text[] not null,
    secret bytea not null,
    former_secret bytea,
    former_until timestamptz,
    failures integer not null default 0,
    failing_since timestamptz,
    paused_until timestamptz,
    disabled_at timestamptz,
    disabled_because text,
    created_at timestamptz not null default clock_timestamp()
);

-- What each endpoint is still to be told, as places in the journal: what is blanked there is blank here. With a
-- `dead_at` it is told no more, unless somebody says so.
create table webhook_messages (
    endpoint_id uuid not null references webhook_endpoints on delete cascade,
    topic text not null,
    seq bigint not null,
    type text not null,
    at timestamptz not null,
    attempts integer not null default 0,
    due_at timestamptz not null default clock_timestamp(),
    failed_because text,
    dead_at timestamptz,
    primary key (endpoint_id, topic, seq)
);
create index webhook_messages_dead on webhook_messages (endpoint_id, at) where dead_at is not null;

select outside.close('webhook_endpoints');
select outside.close('webhook_messages');

-- migrate:down

drop table webhook_messages;
drop table webhook_endpoints;
