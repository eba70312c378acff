-- migrate:up

-- The machines that serve just now, and where the others reach them. A row is a lease: it counts until it
-- expires, and nothing is lost with it.
create unlogged table nodes (
    node text primary key,
    url text not null,
    expires_at timestamptz not null
);

-- migrate:down

drop table nodes;
