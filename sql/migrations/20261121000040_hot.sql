-- migrate:up

-- Whether a snapshot was chosen from all posts, or from what was in the one before and what has happened
-- since; and which transactions were not over when it was taken, so that the next finds what they did.
alter table trending_snapshots add column is_whole boolean not null default true;
alter table trending_snapshots add column open_since xid8;

-- migrate:down

alter table trending_snapshots drop column open_since;
alter table trending_snapshots drop column is_whole;
