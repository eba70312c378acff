-- part: epoch
(
    select epoch::text || '.' || substring(pg_walfile_name(pg_current_wal_lsn()) from 1 for 8)
    from installation
)

-- name: heads
-- The epoch, and the head of each of these topics that has entries.
select
    -- include: journal/reading.epoch
    as epoch,
    topics.topic,
    topics.seq
from (select) as one
left join topics on topics.topic = any ($1::text[])

-- name: replay
-- The head of a topic, its oldest kept entry after $2, and what a watcher missed since then: all log
-- entries and the newest state entry of each key, at most $3 of them.
with missed as (
    select seq, type, key, subject, data, actor, created_at,
           max(seq) over (partition by key) as newest
    from events
    where topic = $1 and seq > $2
), kept as (
    select * from missed where key is null or seq = newest order by seq limit $3
)
select
    -- include: journal/reading.epoch
    as epoch,
    coalesce((select topics.seq from topics where topics.topic = $1), 0) as head,
    (select min(missed.seq) from missed) as oldest,
    kept.seq, kept.type, kept.key, kept.subject, kept.data, kept.actor, kept.created_at as at
from (select) as one
left join kept on true
order by kept.seq

-- name: new_epoch
-- Begins a new history, as after a restore from a backup.
update installation set epoch = gen_random_uuid() returning epoch::text

-- name: bring_heads_here
-- Gives heads that have the turn of a transaction yet to come, in another cluster, that of this one.
update topics set turn = pg_current_xact_id()
where turn >= pg_snapshot_xmax(pg_current_snapshot())

-- name: bring_entries_here
-- The same for entries; consumers then read them in the order of their topics.
update events set turn = pg_current_xact_id()
where turn >= pg_snapshot_xmax(pg_current_snapshot())

-- name: cursor_key
-- The key with which all nodes sign cursors.
select cursor_key from installation

-- name: installation
-- The name of this database.
select id::text as id from installation
