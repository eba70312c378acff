-- migrate:up

-- What this database is: `id` tells it from others, `epoch` names its history, `cursor_key` signs the
-- cursors of all nodes.
create table installation (
    singleton boolean primary key default true check (singleton),
    id uuid not null default gen_random_uuid(),
    epoch uuid not null default gen_random_uuid(),
    cursor_key bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);
insert into installation default values;

-- The head of each topic: the seq of its newest entry.
create table topics (
    topic text primary key,
    seq bigint not null
) with (fillfactor = 50);

-- What happened, per topic and densely numbered. State entries have a key, and a newer one with the
-- same topic and key replaces the older; log entries have none.
create table events (
    topic text not null,
    seq bigint not null,
    type text not null,
    key text,
    subject text,
    data json,
    actor uuid,
    created_at timestamptz not null,
    xid xid8 not null default pg_current_xact_id(),
    primary key (topic, seq, created_at)
) partition by range (created_at);

create index events_subject on events (subject) where subject is not null;
create index events_xid on events (xid, topic, seq);

-- Makes the partition that holds one day (UTC), where it is missing. Attaching instead of creating in
-- place lets writers go on meanwhile.
create function journal_add_day(day date) returns void language plpgsql as $$
declare
    part text := 'events_' || to_char(day, 'YYYYMMDD');
begin
    if to_regclass(part) is not null then
        return;
    end if;
    execute format('create table %I (like events including defaults including constraints)', part);
    execute format(
        'alter table events attach partition %I for values from (%L) to (%L)',
        part, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC'
    );
end
$$;

select journal_add_day((now() at time zone 'UTC')::date + ahead) from generate_series(-1, 7) ahead;

-- Appends entries to any number of topics inside the caller's transaction. Each head's row lock is
-- held until that transaction ends, so commit order is seq order. Answers a row for each entry, in order.
create function journal_append(
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

-- migrate:down

drop function journal_append;
drop function journal_add_day;
drop table events;
drop table topics;
drop table installation;
