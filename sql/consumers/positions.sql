-- name: begin
-- A consumer $1 that begins at the oldest entry that is kept ($2), or else with what follows from now on; no row if
-- there is one of that name.
insert into consumers (name, epoch, turn, excused)
select
    $1::text,
    -- include: journal/reading.epoch
    ,
    case when $2::boolean then '0' else pg_snapshot_xmin(pg_current_snapshot()) end,
    dropped_turn
from installation
on conflict (name) do nothing
returning true as begun

-- name: claim
-- The consumer $1 belongs to the process $2, called $3, for another $4, unless it belongs to another one: its position.
update consumers
set holder = $2::uuid, held_by = $3::text, held_until = clock_timestamp() + $4::interval
where name = $1::text and (held_until is null or held_until < clock_timestamp())
returning epoch, turn::text::bigint as turn, topic, seq, excused::text::bigint as excused

-- name: find_holder
-- Who has the consumer $1; no row where there is none of that name.
select held_by, held_until > clock_timestamp() as held from consumers where name = $1::text

-- name: move
-- The consumer $1 of the process $2 stands at ($3, $4, $5) in the history $6, past another $7 entries, and stays with it
-- for another $8; no row if it is another's by now.
update consumers
set turn = $3::bigint::text::xid8, topic = $4::text, seq = $5::bigint, epoch = $6::text,
    entries = entries + $7::bigint, held_until = clock_timestamp() + $8::interval,
    seen_at = clock_timestamp()
where name = $1::text and holder = $2::uuid
returning true as ours

-- name: release
-- The consumer $1 belongs to the process $2 no longer.
update consumers set holder = null, held_by = null, held_until = null
where name = $1::text and holder = $2::uuid
returning true as ours

-- name: read
-- The $4 entries that follow ($1, $2, $3), of transactions before which all are over; what a consumer does not want
-- has a place only. Wanted are the types $5 on the topics $6. And: the history, the turn from which on
-- transactions may be under way, the last turn of which there may be any, and what the retention has taken.
select
    -- include: journal/reading.epoch
    as epoch,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint as open_from,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next_turn,
    installation.dropped_turn::text::bigint as dropped,
    span.turn::text::bigint as turn, span.topic, span.seq, span.wanted,
    case when span.wanted then span.type end as type,
    case when span.wanted then span.key end as key,
    case when span.wanted then span.subject end as subject,
    case when span.wanted then span.data end as data,
    case when span.wanted then span.actor end as actor,
    span.created_at as at
from installation
left join (
    select events.*, type like any ($5::text[]) and topic like any ($6::text[]) as wanted
    from events
    where (turn, topic, seq) > ($1::bigint::text::xid8, $2::text, $3::bigint)
        and turn < pg_snapshot_xmin(pg_current_snapshot())
    order by turn, topic, seq
    limit $4::integer
) as span on true
order by span.turn, span.topic, span.seq

-- name: is_ahead
-- Whether the journal has entries of transactions that are yet to come: it was filled in another cluster.
select exists (
    select from events where turn >= pg_snapshot_xmax(pg_current_snapshot())
) as ahead

-- name: list
-- All consumers: how far each has come, who has it, how many of at most $1 entries it has before it, and since when.
select
    consumer.name, consumer.epoch, consumer.entries, consumer.seen_at,
    consumer.turn::text::bigint as turn, consumer.excused::text::bigint as excused,
    installation.dropped_turn::text::bigint as dropped,
    -- include: journal/reading.epoch
    as present_epoch,
    case when consumer.held_until > clock_timestamp() then consumer.held_by end as held_by,
    (
        select count(*)
        from (
            select from events
            where (events.turn, events.topic, events.seq) > (consumer.turn, consumer.topic, consumer.seq)
            limit $1
        ) as following
    ) as behind,
    coalesce(extract(epoch from clock_timestamp() - (
        select events.created_at
        from events
        where (events.turn, events.topic, events.seq) > (consumer.turn, consumer.topic, consumer.seq)
        order by events.turn, events.topic, events.seq
        limit 1
    )), 0)::double precision as seconds_behind
from installation
join consumers as consumer on true
order by consumer.name

-- name: held_up
-- For how many seconds the oldest entry waits that nobody may read yet, because an older transaction is open.
select coalesce(extract(epoch from clock_timestamp() - (
    select created_at
    from events
    where turn >= pg_snapshot_xmin(pg_current_snapshot())
    order by turn, topic, seq
    limit 1
)), 0)::double precision as seconds

-- name: reset
-- The consumer $1 stands at the oldest entry that is kept ('beginning'), before what follows from now on ('now'), or where
-- it stood ('here'), in the present history; and belongs to nobody.
update consumers
set epoch =
    -- include: journal/reading.epoch
    ,
    turn = case $2::text
        when 'beginning' then '0'
        when 'now' then pg_snapshot_xmin(pg_current_snapshot())
        else turn
    end,
    topic = case $2::text when 'here' then topic else '' end,
    seq = case $2::text when 'here' then seq else 0 end,
    excused = installation.dropped_turn,
    holder = null, held_by = null, held_until = null, seen_at = clock_timestamp()
from installation
where name = $1::text
    and ($2::text <> 'here' or consumers.turn <= pg_snapshot_xmax(pg_current_snapshot()))
returning true as placed

-- name: remove
-- There is no consumer $1 any more.
delete from consumers where name = $1::text returning true as gone
