-- migrate:up

-- The posts of these ids, locked in order of id. Batches of many posts do not wait long for one.
create function posts_locked(ids uuid[]) returns setof community_posts
language plpgsql set lock_timeout = '250ms' set plan_cache_mode = force_generic_plan as $$
begin
    return query select * from community_posts where id = any (ids) order by id for no key update;
end
$$;

alter function likes_look set lock_timeout = '250ms';
alter function likes_write set lock_timeout = '250ms';

-- migrate:down

alter function likes_write reset lock_timeout;
alter function likes_look reset lock_timeout;
drop function posts_locked;
