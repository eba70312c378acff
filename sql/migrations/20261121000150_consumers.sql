-- migrate:up

-- `turn` is the order in which consumers read the journal: the highest id of the transactions that wrote this
-- entry and those before it on its topic. So it never falls along a topic, and once all transactions below some
-- id are over, no entry below it is still to come. Entries from before this migration are the first.
alter table topics add column turn xid8 not null default '0';
alter table events add column turn xid8 not null default '0';
alter table events alter column turn set default pg_current_xact_id();
create index events_turn on events (turn, topic, seq);

-- Appends entries to any number of topics inside the caller's transaction. Each head's row lock is
-- held until that transaction ends, so commit order is seq order. Answers a row for each entry, in order.
create or replace function journal_append(
    entry_topics text[], types text[], keys text[], subjects text[], datas text[], actors uuid[]
) returns table (topic text, seq bigint, at timestamptz) language plpgsql as $$
#variable_conflict use_column
begin
    insert into topics (topic, seq)
    select wanted, 0
    from (select distinct unnest(entry_topics) as wanted) as named
    where not exists (select from topics where topics.topic = wanted)
    order by wanted
    on conflict do nothing;

    perform from topics where topics.topic = any (entry_topics)
    order by topics.topic for no key update;

    return query
    with entry as (
        select e.topic, e.type, e.key, e.subject, e.data, e.actor, e.place,
               row_number() over (partition by e.topic order by e.place) as nth
        from unnest(entry_topics, types, keys, subjects, datas, actors)
            with ordinality as e (topic, type, key, subject, data, actor, place)
    ), head as (
        update topics
        set seq = topics.seq + added.entries, turn = greatest(topics.turn, pg_current_xact_id())
        from (select entry.topic, count(*) as entries from entry group by entry.topic) as added
        where topics.topic = added.topic
        returning topics.topic, topics.seq - added.entries as before, topics.turn
    ), written as (
        insert into events (topic, seq, type, key, subject, data, actor, created_at, turn)
        select entry.topic, head.before + entry.nth, entry.type, entry.key, entry.subject,
               entry.data::json, entry.actor, clock_timestamp(), head.turn
        from entry join head on head.topic = entry.topic
        returning events.topic, events.seq, events.created_at
    )
    select written.topic, written.seq, written.created_at
    from entry
    join head on head.topic = entry.topic
    join written on written.topic = entry.topic and written.seq = head.before + entry.nth
    order by entry.place;
end
$$;

-- The highest turn among the entries that the retention has taken.
alter table installation add column dropped_turn xid8 not null default '0';

-- Notes that the entries of a partition are about to go.
create function journal_note_drop(part regclass) returns void language plpgsql as $$
begin
    execute format(
        'update installation set dropped_turn = greatest(dropped_turn, (select max(turn) from %s))', part
    );
end
$$;

-- Who follows the journal, and how far each has come: past all entries up to (turn, topic, seq), in the history
-- `epoch`. What the retention had taken up to the turn `excused` it never asked for. Until `held_until` only
-- the process `holder` may move the position.
create table consumers (
    name text primary key check (name ~ '^[a-z0-9][a-z0-9:._-]{0,62}$'),
    epoch text not null,
    turn xid8 not null,
    topic text not null default '',
    seq bigint not null default 0,
    excused xid8 not null,
    entries bigint not null default 0,
    holder uuid,
    held_by text,
    held_until timestamptz,
    seen_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
select outside.close('consumers');

-- migrate:down

drop table consumers;
drop function journal_note_drop;
alter table installation drop column dropped_turn;
create or replace function journal_append(
    entry_topics text[], types text[], keys text[], subjects text[], datas text[], actors uuid[]
) returns table (topic text, seq bigint, at timestamptz) language plpgsql as $$
#variable_conflict use_column
begin
    insert into topics (topic, seq)
    select wanted, 0
    from (select distinct unnest(entry_topics) as wanted) as named
    where not exists (select from topics where topics.topic = wanted)
    order by wanted
    on conflict do nothing;

    perform from topics where topics.topic = any (entry_topics)
    order by topics.topic for no key update;

    return query
    with entry as (
        select e.topic, e.type, e.key, e.subject, e.data, e.actor, e.place,
               row_number() over (partition by e.topic order by e.place) as nth
        from unnest(entry_topics, types, keys, subjects, datas, actors)
            with ordinality as e (topic, type, key, subject, data, actor, place)
    ), head as (
        update topics set seq = topics.seq + added.entries
        from (select entry.topic, count(*) as entries from entry group by entry.topic) as added
        where topics.topic = added.topic
        returning topics.topic, topics.seq - added.entries as before
    ), written as (
        insert into events (topic, seq, type, key, subject, data, actor, created_at)
        select entry.topic, head.before + entry.nth, entry.type, entry.key, entry.subject,
               entry.data::json, entry.actor, clock_timestamp()
        from entry join head on head.topic = entry.topic
        returning events.topic, events.seq, events.created_at
    )
    select written.topic, written.seq, written.created_at
    from entry
    join head on head.topic = entry.topic
    join written on written.topic = entry.topic and written.seq = head.before + entry.nth
    order by entry.place;
end
$$;
drop index events_turn;
alter table events drop column turn;
alter table topics drop column turn;
