-- migrate:up

-- Where nodes reach each other is nobody else's business.
select outside.close('nodes');

-- migrate:down

alter table nodes disable row level security;
