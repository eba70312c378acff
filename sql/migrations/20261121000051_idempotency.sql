-- migrate:up

-- Requests that carried an `Idempotency-Key`, for a day. `request` is a hash of what was asked for, `made_id`
-- the id of what it makes; `status` and `answer` are there once it was answered.
create table idempotency_keys (
    user_id uuid not null references users on delete cascade,
    operation text not null,
    key text not null check (char_length(key) between 1 and 255),
    request bytea not null,
    made_id uuid not null,
    status smallint,
    answer bytea,
    created_at timestamptz not null default now(),
    primary key (user_id, operation, key)
);
create index idempotency_keys_oldest on idempotency_keys (created_at);

-- migrate:down

drop table idempotency_keys;
