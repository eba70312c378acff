-- name: add_days
-- Makes the partitions from yesterday to $1 days ahead, where they are missing.
select journal_add_day((now() at time zone 'UTC')::date + ahead)
from generate_series(-1, $1::integer) as ahead

-- name: expired
-- The partitions whose whole day is more than $1 days ago, and whether one is half detached.
select part.relname as name, pg_inherits.inhdetachpending as pending
from pg_inherits
join pg_class as part on part.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'events'::regclass
    and part.relname < 'events_' || to_char((now() at time zone 'UTC')::date - $1::integer, 'YYYYMMDD')
order by part.relname

-- name: detached
-- Partitions that were detached by an earlier run and not yet dropped.
select relname as name
from pg_class
where relkind = 'r' and relname ~ '^events_\d{8}$' and not relispartition
    and relnamespace = (select relnamespace from pg_class where oid = 'events'::regclass)

-- name: note_drop
-- Notes up to which turn the partition $1 had entries, for those who have not read them.
select journal_note_drop($1::text::regclass)
