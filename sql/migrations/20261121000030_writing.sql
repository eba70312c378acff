-- migrate:up

-- These functions are called with one row and with hundreds; their plans are the same, and making one anew costs
-- as much as a lone like.
alter function journal_append set plan_cache_mode = force_generic_plan;

-- Begins, grows or takes back unseen notifications, one for each of `receivers`. Their activities are
-- numbered from 1. `moments` are what each did: +1 or -1, and whether that is news, which alone begins a
-- notification. `actors` stand behind an activity now, newest first; a receiver is not named. What came before
-- a notification began is no part of it. Answers a row for each that changed; with a count of 0 it is gone.
-- The caller holds a lock that serialises activity on the subject.
create function inbox_record(
    new_ids uuid[], receivers uuid[], kinds text[], subject_types text[], subject_ids uuid[], titles text[],
    moments_of integer[], moments timestamptz[], growths integer[], news boolean[],
    actors_of integer[], actors uuid[], acted timestamptz[], actors_shown integer
) returns table (
    activity integer, id uuid, begins boolean, actor_ids uuid[], count integer,
    created_at timestamptz, updated_at timestamptz
) language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    perform from notifications
    where not seen and (user_id, kind, subject_id) in (
        select * from unnest(receivers, kinds, subject_ids)
    )
    order by id
    for no key update;

    return query
    with given as (
        select *
        from unnest(new_ids, receivers, kinds, subject_types, subject_ids, titles) with ordinality
            as given (new_id, user_id, kind, subject_type, subject_id, title, place)
    ), moment as (
        select * from unnest(moments_of, moments, growths, news) as moment (place, at, growth, is_news)
    ), actor as (
        select *
        from unnest(actors_of, actors, acted) with ordinality as actor (place, user_id, at, nth)
    ), fresh as (
        select place, count(*) as added, min(at) as first, max(at) as last
        from moment
        where is_news
        group by place
    ), grown as (
        select given.*, true as begins, given.new_id as id, fresh.added as count,
               fresh.first as created_at, fresh.last as updated_at
        from given
        join fresh on fresh.place = given.place
        where not exists (
            select from notifications as notice
            where not notice.seen and notice.user_id = given.user_id
                and notice.kind = given.kind and notice.subject_id = given.subject_id
        )
        union all
        select given.*, false, notice.id, notice.count + moved.growth,
               notice.created_at, coalesce(fresh.last, notice.updated_at)
        from given
        join notifications as notice
            on not notice.seen and notice.user_id = given.user_id
            and notice.kind = given.kind and notice.subject_id = given.subject_id
        cross join lateral (
            select sum(moment.growth) as growth
            from moment
            where moment.place = given.place
                and (moment.is_news or moment.at >= notice.created_at)
        ) as moved
        left join fresh on fresh.place = given.place
        where moved.growth is not null
    ), outcome as (
        select grown.*, array(
            select actor.user_id
            from actor
            where actor.place = grown.place and actor.at >= grown.created_at
                and actor.user_id <> grown.user_id
            order by actor.nth
            limit actors_shown
        ) as actor_ids
        from grown
    ), taken_back as (
        delete from notifications as notice using outcome
        where notice.id = outcome.id and outcome.count = 0
    ), kept as (
        insert into notifications (
            id, user_id, kind, subject_type, subject_id, subject_title, actors, count, created_at,
            updated_at
        )
        select id, user_id, kind, subject_type, subject_id, title, actor_ids, count, created_at,
               updated_at
        from outcome
        where outcome.count <> 0
        on conflict (id) do update set
            subject_title = excluded.subject_title,
            actors = excluded.actors,
            count = excluded.count,
            updated_at = excluded.updated_at
    )
    select outcome.place::integer, outcome.id, outcome.begins, outcome.actor_ids,
           outcome.count::integer, outcome.created_at, outcome.updated_at
    from outcome
    order by outcome.place;
end
$$;

-- Locks the posts of these pairs of post and user in order of id, and then looks: a row for each post, its
-- columns null where there is no such post. Of the users who are paired with it: who likes it now, who is
-- banned, and who is no user.
create function likes_look(posts uuid[], users uuid[])
returns table (
    id uuid, user_id uuid, title text, is_hidden boolean, like_count integer, seq bigint,
    likers uuid[], banned uuid[], unknown uuid[]
) language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    perform from community_posts as post where post.id = any (posts) order by post.id for no key update;

    return query
    with pair as (
        select pair.post_id,
               array_agg(pair.user_id) filter (where likes.user_id is not null) as likers,
               array_agg(pair.user_id) filter (where stats.is_banned) as banned,
               array_agg(pair.user_id) filter (where known.id is null) as unknown
        from unnest(posts, users) as pair (post_id, user_id)
        left join community_likes as likes
            on likes.post_id = pair.post_id and likes.user_id = pair.user_id
        left join users as known on known.id = pair.user_id
        left join community_user_stats as stats on stats.user_id = pair.user_id
        group by pair.post_id
    )
    select pair.post_id, post.user_id, post.title, post.is_hidden, post.like_count,
           coalesce(head.seq, 0), coalesce(pair.likers, '{}'), coalesce(pair.banned, '{}'),
           coalesce(pair.unknown, '{}')
    from pair
    left join community_posts as post on post.id = pair.post_id
    left join topics as head on head.topic = 'post:' || pair.post_id;
end
$$;

-- Writes what became of likes on locked posts: adds and removes them, counts them on the posts and in their
-- authors' statistics, and notifies the authors of others' likes. `changed` are the posts, with their authors,
-- titles and by how much they grow. Answers a row for each: its newest `shown` likers, and the notification
-- where one changed.
create function likes_write(
    added_ids uuid[], added_posts uuid[], added_users uuid[],
    removed_posts uuid[], removed_users uuid[],
    changed uuid[], authors uuid[], titles text[], growths integer[], notice_ids uuid[],
    shown integer, actors_shown integer
) returns table (
    post_id uuid, likers json, notice_id uuid, notice_begins boolean, notice_actor_ids uuid[],
    notice_count integer, notice_created_at timestamptz, notice_updated_at timestamptz
) language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    moments_of integer[];
    moments timestamptz[];
    moment_growths integer[];
    news boolean[];
    latest_of integer[];
    latest uuid[];
    latest_at timestamptz[];
begin
    with removed as (
        delete from community_likes as likes
        using unnest(removed_posts, removed_users) as pair (post_id, user_id)
        where likes.post_id = pair.post_id and likes.user_id = pair.user_id
        returning likes.post_id, likes.user_id, likes.created_at
    ), added as (
        insert into community_likes (id, post_id, user_id, created_at)
        select *, clock_timestamp() from unnest(added_ids, added_posts, added_users)
        returning post_id, user_id, created_at
    ), counted as (
        update community_posts as post
        set like_count = post.like_count + given.growth
        from unnest(changed, growths) as given (id, growth)
        where post.id = given.id and given.growth <> 0
    ), moment as (
        select removed.*, -1 as growth, false as is_news from removed
        union all
        select added.*, 1, true from added
    )
    select array_agg(given.place), array_agg(moment.created_at), array_agg(moment.growth),
           array_agg(moment.is_news)
    into moments_of, moments, moment_growths, news
    from moment
    join unnest(changed, authors) with ordinality as given (post_id, author, place)
        on given.post_id = moment.post_id and given.author <> moment.user_id;

    with given as (
        select author, sum(growth) as growth
        from unnest(authors, growths) as given (author, growth)
        group by author
    ), locked as (
        select user_id
        from community_user_stats
        where user_id = any (authors)
        order by user_id
        for no key update
    )
    update community_user_stats as stats
    set total_likes_received = stats.total_likes_received + given.growth, updated_at = now()
    from locked join given on given.author = locked.user_id
    where stats.user_id = locked.user_id and given.growth <> 0;

    select array_agg(given.place order by given.place, newest.created_at desc),
           array_agg(newest.user_id order by given.place, newest.created_at desc),
           array_agg(newest.created_at order by given.place, newest.created_at desc)
    into latest_of, latest, latest_at
    from unnest(changed) with ordinality as given (post_id, place)
    cross join lateral (
        select likes.user_id, likes.created_at
        from community_likes as likes
        where likes.post_id = given.post_id
        order by likes.created_at desc
        limit shown
    ) as newest;

    return query
    with liker as (
        select newest.place, json_agg(json_build_object(
            'id', users.id, 'display_name', users.display_name, 'avatar_url', users.avatar_url,
            'subscription_tier', users.subscription_tier
        ) order by newest.nth) as likers
        from unnest(latest_of, latest) with ordinality as newest (place, user_id, nth)
        join users on users.id = newest.user_id
        group by newest.place
    )
    select given.post_id, coalesce(liker.likers, '[]'), notice.id, notice.begins, notice.actor_ids,
           notice.count, notice.created_at, notice.updated_at
    from unnest(changed) with ordinality as given (post_id, place)
    left join liker on liker.place = given.place
    left join inbox_record(
        notice_ids, authors, array_fill('post_liked'::text, array[cardinality(changed)]),
        array_fill('post'::text, array[cardinality(changed)]), changed, titles,
        moments_of, moments, moment_growths, news,
        latest_of, latest, latest_at, actors_shown
    ) as notice on notice.activity = given.place
    order by given.place;
end
$$;

-- migrate:down

drop function likes_write;
drop function likes_look;
drop function inbox_record;
alter function journal_append reset plan_cache_mode;
