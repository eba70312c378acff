-- migrate:up

-- The same database from elsewhere: the roles `anon` and `authenticated` read and write the gallery's
-- tables by its rules. What they claim to be stands in `request.jwt.claims`.
create schema outside;

-- SHA-1 (RFC 3174): not every PostgreSQL has an extension for it.
create function outside.sha1(message bytea) returns bytea
language plpgsql immutable strict parallel safe as $$
declare
    ones constant bigint := x'FFFFFFFF'::bigint;
    size constant bigint := length(message);
    padded constant bytea := message || '\x80'::bytea
        || decode(repeat('00', ((119 - size % 64) % 64)::integer), 'hex') || int8send(size * 8);
    state bigint[] := array[
        x'67452301'::bigint, x'EFCDAB89'::bigint, x'98BADCFE'::bigint, x'10325476'::bigint,
        x'C3D2E1F0'::bigint
    ];
    word bigint[];
    mixed bigint;
    a bigint; b bigint; c bigint; d bigint; e bigint;
begin
    for block in 0 .. length(padded) / 64 - 1 loop
        for i in 0 .. 79 loop
            if i < 16 then
                mixed := 0;
                for place in 0 .. 3 loop
                    mixed := mixed << 8 | get_byte(padded, block * 64 + i * 4 + place);
                end loop;
            else
                mixed := word[i - 2] # word[i - 7] # word[i - 13] # word[i - 15];
                mixed := ((mixed << 1) | (mixed >> 31)) & ones;
            end if;
            word[i + 1] := mixed;
        end loop;
        a := state[1]; b := state[2]; c := state[3]; d := state[4]; e := state[5];
        for i in 0 .. 79 loop
            mixed := case
                when i < 20 then ((b & c) | ((b # ones) & d)) + x'5A827999'::bigint
                when i < 40 then (b # c # d) + x'6ED9EBA1'::bigint
                when i < 60 then ((b & c) | (b & d) | (c & d)) + x'8F1BBCDC'::bigint
                else (b # c # d) + x'CA62C1D6'::bigint
            end + (((a << 5) | (a >> 27)) & ones) + e + word[i + 1];
            e := d; d := c; c := ((b << 30) | (b >> 2)) & ones; b := a; a := mixed & ones;
        end loop;
        state := array[
            (state[1] + a) & ones, (state[2] + b) & ones, (state[3] + c) & ones,
            (state[4] + d) & ones, (state[5] + e) & ones
        ];
    end loop;
    return decode(
        (select string_agg(lpad(to_hex(part), 8, '0'), '' order by place)
         from unnest(state) with ordinality as parts (part, place)),
        'hex'
    );
end
$$;

create function outside.uuid5(namespace uuid, name text) returns uuid
language plpgsql immutable strict parallel safe as $$
declare
    hash bytea := outside.sha1(uuid_send(namespace) || convert_to(name, 'UTF8'));
begin
    hash := set_byte(hash, 6, get_byte(hash, 6) & 15 | 80);
    hash := set_byte(hash, 8, get_byte(hash, 8) & 63 | 128);
    return encode(substring(hash for 16), 'hex')::uuid;
end
$$;

-- The user's id: the `sub` itself where it is a UUID, else one made from issuer and `sub`, as the gateway
-- does. Null for what no token can have as its `sub`.
create function outside.user_id_of(subject text, issuer text) returns uuid
language plpgsql immutable parallel safe as $$
begin
    if char_length(subject) not between 1 and 255
        or subject ~ '[\u0001-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]'
    then
        return null;
    elsif subject ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' then
        return subject::uuid;
    end if;
    return outside.uuid5(
        outside.uuid5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', issuer), subject  -- uuid.NAMESPACE_URL
    );
end
$$;

create function outside.claims() returns jsonb language sql stable parallel safe as $$
    select nullif(current_setting('request.jwt.claims', true), '')::jsonb
$$;

-- Who the session acts for; null for a visitor.
create function outside.user_id() returns uuid language sql stable parallel safe as $$
    select outside.user_id_of(claims ->> 'sub', claims ->> 'iss')
    from outside.claims() as claims
    where jsonb_typeof(claims -> 'sub') = 'string'
$$;

-- Whether the session moderates. A claimed role wins over the stored one, but the name of a role of the
-- database, which is what `role` holds in a Supabase project, claims nothing.
create function outside.moderates() returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select coalesce((
        select case
            when coalesce(outside.claims() ->> 'role', 'anon') in ('anon', 'authenticated')
                then users.role
            else outside.claims() ->> 'role'
        end in ('moderator', 'admin')
        from users
        where users.id = outside.user_id()
    ), false)
$$;

-- Whether the session acts for a user who is known, and not banned.
create function outside.may_write() returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select exists (
        select
        from users
        left join community_user_stats as stats on stats.user_id = users.id
        where users.id = outside.user_id() and not coalesce(stats.is_banned, false)
    )
$$;

-- Whether there is this post and the session may know of it.
create function outside.may_see(post_id uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select exists (
        select
        from community_posts as post
        where post.id = post_id
            and (not post.is_hidden or post.user_id = outside.user_id() or outside.moderates())
    )
$$;

-- Whether a post of the session may share this asset.
create function outside.owns_asset(asset_id uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select exists (
        select from assets where assets.id = asset_id and assets.user_id = outside.user_id()
    )
$$;

-- A UUIDv7, as the gateway makes them.
create function outside.new_id() returns uuid language sql volatile as $$
    select encode(
        set_byte(
            overlay(
                uuid_send(gen_random_uuid())
                placing substring(
                    int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3
                )
                from 1 for 6
            ),
            6,
            get_byte(uuid_send(gen_random_uuid()), 6) & 15 | 112
        ),
        'hex'
    )::uuid
$$;

alter table assets alter column id set default outside.new_id();
alter table community_posts alter column id set default outside.new_id();
alter table community_likes alter column id set default outside.new_id();
alter table community_comments alter column id set default outside.new_id();
alter table community_follows alter column id set default outside.new_id();
alter table community_reports alter column id set default outside.new_id();

-- What the gateway does to text before it stores it: NFC, trimmed, and no bidirectional controls.
create function outside.clean_text(value text, field text) returns text
language plpgsql immutable as $$
begin
    if value ~ '[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]' then
        raise exception using
            errcode = 'check_violation',
            message = format('`%s` must not contain bidirectional controls', field);
    end if;
    return btrim(
        normalize(value, NFC),
        E'\t\n\u000b\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005'
            '\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
    );
end
$$;

-- Tags lower-cased and trimmed, each once, where it first stood.
create function outside.clean_tags(tags text[]) returns text[]
language plpgsql immutable as $$
declare
    clean text[] := '{}';
    tag text;
begin
    foreach tag in array tags loop
        tag := lower(outside.clean_text(tag, 'tags'));
        if tag !~ '^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$' or tag is null then
            raise exception using
                errcode = 'check_violation',
                message = format('the tag %L does not have the form', tag),
                detail = '^[a-z0-9]$|^[a-z0-9][a-z0-9-]{0,28}[a-z0-9]$';
        elsif tag <> all (clean) then
            clean := clean || tag;
        end if;
    end loop;
    return clean;
end
$$;

-- An asset's address: on the web, or a plain path below /media/.
create function outside.clean_url(url text) returns text
language plpgsql immutable as $$
declare
    clean constant text := outside.clean_text(url, 'url');
begin
    if clean !~ '^https?://[A-Za-z0-9.-]+(:[0-5]?[0-9]{1,4})?([/?#][]!#-;=?-Z[_a-z~]*)?$'
        and (clean !~ '^/media(/[A-Za-z0-9._~-]+)+$' or clean ~ '/\.\.?(/|$)')
    then
        raise exception using
            errcode = 'check_violation',
            message = '`url` must be an http or https URL, or a plain path below /media/';
    end if;
    return clean;
end
$$;

-- What was written from outside and is not settled yet: counters, notifications and the journal do not know
-- of it. A `parent` is a like's and a comment's post, who is followed, and the post that inspired another.
--
-- Only the owner may write here. By that, and by a marker, the gateway's own sessions are told apart.
create table outside.writes (
    place bigint generated always as identity primary key,
    noun text not null check (noun in ('post', 'like', 'comment', 'follow')),
    deed text not null check (deed in ('made', 'changed', 'gone')),
    row_id uuid not null,
    user_id uuid not null,
    parent_id uuid,
    made_at timestamptz not null,
    was json,
    actor_id uuid default outside.user_id(),
    noted_at timestamptz not null default clock_timestamp()
);
create index writes_of_row on outside.writes (row_id);

create function outside.complete_asset() returns trigger
language plpgsql as $$
begin
    new.url := outside.clean_url(new.url);
    new.prompt := nullif(outside.clean_text(new.prompt, 'prompt'), '');
    return new;
end
$$;

-- A post says of its asset what the asset is.
create function outside.complete_post() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    asset assets;
begin
    new.title := outside.clean_text(new.title, 'title');
    new.description := nullif(outside.clean_text(new.description, 'description'), '');
    new.tags := outside.clean_tags(new.tags);
    if tg_op = 'INSERT' then
        select * into asset from assets where id = new.asset_id;
        new.asset_type := coalesce(new.asset_type, asset.asset_type);
        new.asset_url := coalesce(new.asset_url, asset.url);
        new.prompt_used := coalesce(new.prompt_used, asset.prompt);
    else
        new.updated_at := clock_timestamp();
    end if;
    return new;
end
$$;

create function outside.complete_comment() returns trigger
language plpgsql as $$
begin
    new.content := outside.clean_text(new.content, 'content');
    if tg_op = 'UPDATE' and new.content <> old.content then
        new.is_edited := true;
        new.updated_at := clock_timestamp();
    end if;
    return new;
end
$$;

create function outside.complete_report() returns trigger
language plpgsql as $$
begin
    new.details := nullif(outside.clean_text(new.details, 'details'), '');
    return new;
end
$$;

create trigger complete before insert on assets for each row
when (
    current_setting('vernissage.gateway', true) is distinct from 'on'
    or not has_table_privilege('outside.writes'::regclass, 'insert')
) execute function outside.complete_asset();

create trigger complete before insert or update of title, description, tags, show_prompt
on community_posts for each row
when (
    current_setting('vernissage.gateway', true) is distinct from 'on'
    or not has_table_privilege('outside.writes'::regclass, 'insert')
) execute function outside.complete_post();

create trigger complete before insert or update of content on community_comments for each row
when (
    current_setting('vernissage.gateway', true) is distinct from 'on'
    or not has_table_privilege('outside.writes'::regclass, 'insert')
) execute function outside.complete_comment();

create trigger complete before insert on community_reports for each row
when (
    current_setting('vernissage.gateway', true) is distinct from 'on'
    or not has_table_privilege('outside.writes'::regclass, 'insert')
) execute function outside.complete_report();

-- Rules for rows. They name no role: rights to tables and columns are granted to `anon` and `authenticated`
-- alone, and the owner, who is the gateway, is bound by none.
alter table users enable row level security;
create policy everybody on users for select using (true);

alter table assets enable row level security;
create policy own on assets for select using (user_id = (select outside.user_id()));
create policy made on assets for insert
    with check (user_id = (select outside.user_id()) and (select outside.may_write()));

alter table community_posts enable row level security;
create policy visible on community_posts for select using (
    not is_hidden or user_id = (select outside.user_id()) or (select outside.moderates())
);
create policy shared on community_posts for insert with check (
    user_id = (select outside.user_id())
    and (select outside.may_write())
    and outside.owns_asset(asset_id)
    and (inspired_by_post_id is null or outside.may_see(inspired_by_post_id))
);
create policy own on community_posts for update
    using (user_id = (select outside.user_id()) and (select outside.may_write()));
create policy own_or_moderated on community_posts for delete using (
    (user_id = (select outside.user_id()) or (select outside.moderates()))
    and (select outside.may_write())
);

alter table community_likes enable row level security;
create policy visible on community_likes for select
    using (exists (select from community_posts as post where post.id = post_id));
create policy own on community_likes for insert with check (
    user_id = (select outside.user_id())
    and (select outside.may_write())
    and exists (select from community_posts as post where post.id = post_id)
);
create policy taken_back on community_likes for delete using (
    user_id = (select outside.user_id())
    and (select outside.may_write())
    and exists (select from community_posts as post where post.id = post_id)
);

alter table community_comments enable row level security;
create policy visible on community_comments for select
    using (exists (select from community_posts as post where post.id = post_id));
create policy own on community_comments for insert with check (
    user_id = (select outside.user_id())
    and (select outside.may_write())
    and exists (select from community_posts as post where post.id = post_id)
);
create policy fresh on community_comments for update using (
    user_id = (select outside.user_id())
    and (select outside.may_write())
    and clock_timestamp() - created_at < interval '15 minutes'
    and exists (select from community_posts as post where post.id = post_id)
);
create policy own_or_below_own_or_moderated on community_comments for delete using (
    (select outside.may_write())
    and exists (
        select
        from community_posts as post
        where post.id = post_id
            and (select outside.user_id()) in (community_comments.user_id, post.user_id)
            or post.id = post_id and (select outside.moderates())
    )
);

alter table community_follows enable row level security;
create policy everybody on community_follows for select using (true);
create policy own on community_follows for insert
    with check (follower_id = (select outside.user_id()) and (select outside.may_write()));
create policy taken_back on community_follows for delete
    using (follower_id = (select outside.user_id()) and (select outside.may_write()));

alter table community_reports enable row level security;
create policy own on community_reports for insert with check (
    reporter_id = (select outside.user_id())
    and (select outside.may_write())
    and exists (select from community_posts as post where post.id = post_id)
);

alter table community_user_stats enable row level security;
create policy everybody on community_user_stats for select using (true);

-- What a column shows of these depends on the row, so the columns themselves are granted to nobody.
create view visible_posts with (security_barrier) as
select
    post.id, post.user_id, post.asset_id, post.title, post.description,
    case when post.show_prompt or post.user_id = reader.id then post.prompt_used end as prompt_used,
    post.show_prompt, post.tags, post.asset_type, post.asset_url,
    post.like_count, post.comment_count, post.view_count, post.is_featured, post.is_hidden,
    case when outside.may_see(post.inspired_by_post_id) then post.inspired_by_post_id end
        as inspired_by_post_id,
    post.created_at, post.updated_at
from community_posts as post
cross join (select outside.user_id() as id, outside.moderates() as moderates) as reader
where not post.is_hidden or post.user_id = reader.id or reader.moderates;

create view visible_user_stats with (security_barrier) as
select
    stats.user_id,
    stats.post_count - hidden.posts as post_count,
    stats.total_likes_received - hidden.likes as total_likes_received,
    stats.follower_count, stats.following_count
from community_user_stats as stats
cross join (select outside.user_id() as id, outside.moderates() as moderates) as reader
cross join lateral (
    select count(*) as posts, coalesce(sum(post.like_count), 0) as likes
    from community_posts as post
    where post.user_id = stats.user_id
        and post.is_hidden
        and stats.user_id is distinct from reader.id
        and not reader.moderates
) as hidden;

-- Nobody from outside has to do with a table for which this was called.
create function outside.close(closed regclass) returns void language plpgsql as $$
declare
    known text;
begin
    execute format('alter table %s enable row level security', closed);
    execute format('revoke all on table %s from public', closed);
    for known in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke all on table %s from %I', closed, known);
    end loop;
end
$$;

-- Closes the tables named here, and those that a migration has closed by `enable row level security` alone.
create function outside.close_others() returns void language sql as $$
    select outside.close(closed)
    from (
        select oid::regclass as closed
        from pg_class
        where relkind in ('r', 'p')
            and (
                relnamespace = 'outside'::regnamespace
                or relnamespace = 'public'::regnamespace
                and pg_has_role(relowner, 'usage')
                and relrowsecurity
                and not exists (select from pg_policy where polrelid = pg_class.oid)
            )
        union
        select relid from pg_partition_tree('events')
        union
        select name::regclass from unnest(array[
            'installation', 'topics', 'job_runs', 'schema_migrations', 'notifications', 'moderation_log',
            'trending_snapshots', 'trending_entries', 'view_marks', 'idempotency_keys'
        ]) as named (name)
    ) as others
$$;

-- Gives `anon` and `authenticated`, which there must be, their rights, and takes away all others.
create function outside.admit() returns void language plpgsql as $$
begin
    perform outside.close_others();
    revoke all on
        users, assets, community_posts, community_likes, community_comments, community_follows,
        community_reports, community_user_stats, visible_posts, visible_user_stats
    from anon, authenticated;
    grant usage on schema outside to anon, authenticated;
    grant select (id, display_name, avatar_url, subscription_tier, created_at)
        on users to anon, authenticated;
    grant select (
        id, user_id, asset_id, title, description, show_prompt, tags, asset_type, asset_url,
        like_count, comment_count, view_count, is_featured, is_hidden, created_at, updated_at
    ) on community_posts to anon, authenticated;
    grant select on community_likes, community_comments, community_follows
        to anon, authenticated;
    grant select (user_id, follower_count, following_count)
        on community_user_stats to anon, authenticated;
    grant select on visible_posts, visible_user_stats to anon, authenticated;

    grant select (id, user_id, asset_type, url, created_at) on assets to authenticated;
    grant insert (user_id, asset_type, url, prompt) on assets to authenticated;
    grant insert (
        user_id, asset_id, title, description, tags, show_prompt, inspired_by_post_id
    ) on community_posts to authenticated;
    grant update (title, description, tags, show_prompt) on community_posts to authenticated;
    grant delete on community_posts to authenticated;
    grant insert (post_id, user_id) on community_likes to authenticated;
    grant delete on community_likes to authenticated;
    grant insert (post_id, user_id, content) on community_comments to authenticated;
    grant update (content) on community_comments to authenticated;
    grant delete on community_comments to authenticated;
    grant insert (follower_id, following_id) on community_follows to authenticated;
    grant delete on community_follows to authenticated;
    grant insert (post_id, reporter_id, reason, details) on community_reports to authenticated;
end
$$;
revoke execute on function outside.close, outside.close_others, outside.admit from public;

select outside.close_others();

-- Days to come are closed like those that are there: a partition has rights of its own.
create or replace function journal_add_day(day date) returns void language plpgsql as $$
declare
    part text := 'events_' || to_char(day, 'YYYYMMDD');
begin
    if to_regclass(part) is not null then
        return;
    end if;
    execute format('create table %I (like events including defaults including constraints)', part);
    perform outside.close(part::regclass);
    execute format(
        'alter table events attach partition %I for values from (%L) to (%L)',
        part, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC'
    );
end
$$;

do $$
declare
    missing text;
begin
    for missing in
        select name from unnest(array['anon', 'authenticated']) as wanted (name)
        where not exists (select from pg_roles where rolname = name)
    loop
        begin
            execute format('create role %I nologin', missing);
        exception
            when duplicate_object or unique_violation then null;  -- by another database's migration
            when insufficient_privilege then
                raise warning using message = format(
                    'the role %I is missing, and %I may not create roles: nobody can use the '
                    'database beside the gateway until somebody who may runs `create role anon nologin; '
                    'create role authenticated nologin`, and the owner `select outside.admit()`',
                    missing, current_user
                );
                return;
        end;
    end loop;
    perform outside.admit();
end
$$;

-- migrate:down

create or replace function journal_add_day(day date) returns void language plpgsql as $$
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
drop view visible_user_stats;
drop view visible_posts;
drop schema outside cascade;
