-- name: reached
-- Up to where the primary has made visible what was written, and the lineage of that: null until it is told.
select
    case
        when timeline = substring(pg_walfile_name(pg_current_wal_lsn()) from 1 for 8) then lineage
    end as lineage,
    case
        when current_setting('synchronous_commit') = 'off' then pg_current_wal_insert_lsn()
        else pg_current_wal_flush_lsn()
    end as position
from installation

-- name: tell_lineage
-- Gives the history that the primary writes a name of its own, unless it has one.
update installation
set lineage = gen_random_uuid(), timeline = current.timeline
from (select substring(pg_walfile_name(pg_current_wal_lsn()) from 1 for 8) as timeline) as current
where installation.timeline <> current.timeline

-- name: replayed
-- Up to where a standby has replayed, null where this is none; and the lineage of that.
select lineage, case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end as position
from installation
