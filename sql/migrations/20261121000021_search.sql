-- migrate:up

-- What a title says counts more than what a description says.
alter table community_posts drop column search;
alter table community_posts add column search tsvector not null generated always as (
    setweight(to_tsvector('english', title), 'A')
    || setweight(to_tsvector('english', coalesce(description, '')), 'C')
) stored;
create index posts_search on community_posts using gin (search);

-- migrate:down

alter table community_posts drop column search;
alter table community_posts add column search tsvector generated always as (
    to_tsvector('english', title || ' ' || coalesce(description, ''))
) stored;
create index posts_search on community_posts using gin (search);
