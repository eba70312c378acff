-- name: walk
-- The next $2 topics after $1 that have a head or entries.
with recursive told as (  -- a skip from topic to topic: their entries are not read
    select 1 as nth, (select min(topic) from events where topic > $1::text) as topic
    union all
    select nth + 1, (select min(events.topic) from events where events.topic > told.topic)
    from told
    where told.topic is not null and nth < $2::integer
)
select topic as key from told where topic is not null
union
(select topic from topics where topic > $1::text order by topic limit $2::integer)
order by key
limit $2::integer

-- name: compare
-- What differs of the topics $1: the head from the newest entry; how many entries there are from how many
-- seqs lie between the oldest and the newest; and how many entries are told before those they follow. Of a
-- topic all of whose entries are older than the retention nothing can be said.
select given.topic as key, 'topic ' || given.topic as subject, finding.what, finding.said, finding.are
from unnest($1::text[]) as given (topic)
left join topics as head on head.topic = given.topic
cross join lateral (
    select min(seq) as first, max(seq) as last,
           count(*) filter (where seq is distinct from before) as seqs,
           count(*) filter (where seq = before) as doubled,
           count(*) filter (where created_at < moment_before) as late
    from (
        select seq, created_at, lag(seq) over told as before, lag(created_at) over told as moment_before
        from events
        where events.topic = given.topic
        window told as (order by seq, created_at)
    ) as entry
) as entries
cross join lateral (values
    ('head', coalesce(head.seq, 0), entries.last),
    ('entries', entries.last - entries.first + 1, entries.seqs),
    ('entries told twice', 0, entries.doubled),
    ('entries told too early', 0, entries.late)
) as finding (what, said, are)
where entries.last is not null and finding.said <> finding.are
order by given.topic

-- name: make_heads
-- Gives those of the topics $1 a head that have none.
insert into topics (topic, seq)
select topic, 0 from unnest($1::text[]) as given (topic)
order by topic
on conflict do nothing

-- name: lock_heads
-- Locks the heads of these topics.
select topic from topics where topic = any ($1::text[]) order by topic for no key update

-- name: raise_heads
-- Brings heads that lie behind the entries of their topics up to the newest.
update topics
set seq = newest.seq
from unnest($1::text[], $2::bigint[]) as newest (topic, seq)
where topics.topic = newest.topic and topics.seq < newest.seq
returning topics.topic
