-- migrate:up

-- What a post is found by, for an index that knows words, and when. Each word of the post is a key twice: followed by
-- the five hours in which the post was made, in five hexadecimal digits, and by the seven weeks, which are the first
-- three of these; all keys that begin with four of them are three days. So there is a list of the posts that have a
-- word for each of these spans of time. The digits alone stand for any post of the span. Type, author and tags are
-- keys of seven weeks only. The control characters between are none that a word or a tag could have.
create function search_unit(made timestamptz) returns bigint
language sql immutable parallel safe
return floor(extract(epoch from made - to_timestamp(0)) / 16384);

create function search_span(unit bigint, digits integer) returns text
language sql immutable parallel safe
return left(lpad(to_hex(unit), 5, '0'), digits);

create function search_keys(
    search tsvector, made timestamptz, asset_type text, user_id uuid, tags text[]
) returns tsvector
language sql immutable parallel safe cost 1000
begin atomic
    select array_to_tsvector(
        array(
            select word || chr(31) || search_span(search_unit(made), digits)
            from unnest(array_prepend('', tsvector_to_array(search))) as word
            cross join unnest(array[3, 5]) as digits
        )
        || array(
            select chr(30) || filter || chr(31) || search_span(search_unit(made), 3)
            from unnest(array['type ' || asset_type, 'user ' || user_id]) as filter
            union all
            select chr(30) || 'tag ' || tag || chr(31) || search_span(search_unit(made), 3)
            from unnest(tags) as tag
            where tag is not null
        )
    );
end;

-- What to ask of the keys of a span, with chr(29) for the rest of a word, and chr(28) for that of a filter: all that is
-- to be found is found by it, and little else. Nothing if nothing can be found. Of a web search only a phrase that is
-- not wanted stands in brackets: that is left to be looked at in the posts, and so is the order of a phrase's words.
create function search_terms(
    words tsquery, asset_type text, any_tags text[], all_tags text[], user_id uuid
) returns text
language sql immutable parallel safe
begin atomic
    with token as (
        select found.parts[1] as text, found.place,
               sum(case found.parts[1] when '(' then 1 when ')' then -1 else 0 end) over (order by found.place) as depth
        from regexp_matches(words::text, $$'(?:[^'\\]|''|\\\\)*'|<(?:-|\d+)>|[!&|()]$$, 'g')
            with ordinality as found (parts, place)
    ), term as (
        select string_agg(
            case
                when text like '''%' then left(text, -1) || chr(31) || chr(29)
                when text like '<%' then '&'
                when text = ')' then '''' || chr(30) || ''''  -- what no post has
                else text
            end,
            ' ' order by place
        ) as text
        from token
        where depth = 0
    ), wanted as (
        select '( ' || term.text || ' )' as text from term
        union all
        select '''' || chr(31) || chr(29) where words is null or querytree(words) in ('', 'T')
        union all
        select '''' || chr(30) || 'type ' || asset_type || chr(28)
        union all
        select '''' || chr(30) || 'user ' || user_id || chr(28)
        union all
        select '( ' || string_agg('''' || chr(30) || 'tag ' || tag || chr(28), ' | ') || ' )'
        from unnest(any_tags) as tag
        union all
        select '''' || chr(30) || 'tag ' || tag || chr(28) from unnest(all_tags) as tag
    )
    select string_agg(text, ' & ') from wanted where words is null or numnode(words) > 0;
end;

create function search_query(terms text, digits text) returns tsquery
language sql immutable parallel safe
return replace(
    replace(terms, chr(28), chr(31) || left(digits, 3) || ''''),
    chr(29), digits || case length(digits) when 4 then ''':*' else '''' end
)::tsquery;

-- The spans between two times, newest first: longer ones further back, but none longer than all before it together, so
-- whoever stops where enough is found has not looked at much more. The planner is told of one: it would
-- compile (`jit`) what it takes for dear.
create function search_spans(newest timestamptz, oldest timestamptz) returns setof text
language plpgsql immutable strict rows 1 as $$
declare
    upper bigint := search_unit(newest) + 1;
    first constant bigint := search_unit(oldest);
    passed bigint := 0;
    units bigint;
    digits integer;
begin
    while upper > first loop
        units := 1;
        digits := 5;
        while digits > 3 and units * 16 <= passed and upper % (units * 16) = 0 loop
            units := units * 16;
            digits := digits - 1;
        end loop;
        upper := upper - units;
        passed := passed + units;
        return next search_span(upper, digits);
    end loop;
end
$$;

create index posts_found on community_posts
    using gin (search_keys(search, created_at, asset_type, user_id, tags)) with (fastupdate = off);
drop index posts_search;
drop index posts_tags;

-- migrate:down

create index posts_tags on community_posts using gin (tags);
create index posts_search on community_posts using gin (search);
drop index posts_found;
drop function search_spans(timestamptz, timestamptz);
drop function search_query(text, text);
drop function search_terms(tsquery, text, text[], text[], uuid);
drop function search_keys(tsvector, timestamptz, text, uuid, text[]);
drop function search_span(bigint, integer);
drop function search_unit(timestamptz);
