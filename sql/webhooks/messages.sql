-- name: add
-- The endpoint $1 is to be told of the entries ($2, $3), of the types $4, written at $5. One that was dead lives again.
insert into webhook_messages as known (endpoint_id, topic, seq, type, at)
select $1, entry.topic, entry.seq, entry.type, entry.at
from unnest($2::text[], $3::bigint[], $4::text[], $5::timestamptz[]) as entry (topic, seq, type, at)
on conflict (endpoint_id, topic, seq) do update
set at = excluded.at, attempts = 0, due_at = excluded.due_at, failed_because = null, dead_at = null

-- name: is_ours
-- Whether the process $2 still has the consumer $1; nobody takes it until the transaction ends.
select true as ours from consumers where name = $1 and holder = $2 for update

-- name: count_waiting
-- How many messages the endpoint $1 is still to get, as far as $2.
select count(*) as waiting
from (select from webhook_messages where endpoint_id = $1 and dead_at is null limit $2::integer) as waits

-- name: due
-- What the endpoint $1 may be told now, topic by topic in order: of at most $2 topics, at most $3 messages each. A topic
-- waits as long as its first message does.
with head as (
    select distinct on (topic) topic, due_at
    from webhook_messages
    where endpoint_id = $1 and dead_at is null
    order by topic, seq
), chosen as (
    select topic from head where due_at <= clock_timestamp() order by due_at limit $2
)
select message.topic, message.seq, message.attempts,
    -- include: journal/reading.epoch
    as epoch,
    event.type, event.key, event.subject, event.data, event.actor, event.created_at as at
from chosen
cross join lateral (
    select topic, seq, attempts, at
    from webhook_messages
    where endpoint_id = $1 and topic = chosen.topic and dead_at is null
    order by seq
    limit $3
) as message
left join events as event
    on event.topic = message.topic and event.seq = message.seq and event.created_at = message.at
order by message.topic, message.seq

-- name: forget_delivered
-- The endpoint $1 has been told of ($2, $3).
delete from webhook_messages
using unnest($2::text[], $3::bigint[]) as told (topic, seq)
where endpoint_id = $1 and webhook_messages.topic = told.topic and webhook_messages.seq = told.seq

-- name: note_failed
-- The endpoint $1 did not take ($2, $3), after so many attempts ($4), because $6: again after $5, or never (null).
update webhook_messages
set attempts = failed.attempts, failed_because = failed.because,
    due_at = clock_timestamp() + coalesce(failed.wait, '0'),
    dead_at = case when failed.wait is null then clock_timestamp() end
from unnest($2::text[], $3::bigint[], $4::integer[], $5::interval[], $6::text[])
    as failed (topic, seq, attempts, wait, because)
where endpoint_id = $1 and webhook_messages.topic = failed.topic and webhook_messages.seq = failed.seq

-- name: list_dead
-- The dead messages of the endpoint $1, or of all, the newest first; at most $2.
select endpoint_id, topic, seq, type, at, attempts, failed_because, dead_at
from webhook_messages
where dead_at is not null and ($1::uuid is null or endpoint_id = $1)
order by dead_at desc, topic, seq
limit $2

-- name: revive
-- The dead messages of the endpoint $1, of the topic $2 and with the number $3 where these are given, are due now.
update webhook_messages
set dead_at = null, attempts = 0, due_at = clock_timestamp()
where endpoint_id = $1 and dead_at is not null
    and ($2::text is null or topic = $2) and ($3::bigint is null or seq = $3)
returning true as revived

-- name: discard
-- The dead messages of the endpoint $1, of the topic $2 and with the number $3 where these are given, are gone.
delete from webhook_messages
where endpoint_id = $1 and dead_at is not null
    and ($2::text is null or topic = $2) and ($3::bigint is null or seq = $3)
returning true as discarded

-- name: forget_old
-- Dead messages of entries that are older than $1 are gone, as the entries are.
delete from webhook_messages where dead_at is not null and at < clock_timestamp() - $1::interval
