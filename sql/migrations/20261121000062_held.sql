-- migrate:up

-- The posts of these pairs of post and user, once the likes of all of them are locked: what is about to be taken
-- away and counted off can then not be taken away from outside as well. Fails, so that the transaction begins
-- anew, where one has gone since it was seen.
create function likes_held(posts uuid[], users uuid[]) returns uuid[]
language plpgsql set lock_timeout = '250ms' set plan_cache_mode = force_generic_plan as $$
declare
    held integer;
begin
    if posts <> '{}' then
        perform
        from community_likes as likes
        join unnest(posts, users) as pair (post_id, user_id)
            on likes.post_id = pair.post_id and likes.user_id = pair.user_id
        order by likes.id
        for update of likes;
        get diagnostics held = row_count;
        if held <> cardinality(posts) then
            raise exception 'a like was taken back meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;
    return posts;
end
$$;

-- migrate:down

drop function likes_held;
