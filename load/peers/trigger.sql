-- The customary way to keep a counter.
create function count_likes() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        update posts set like_count = like_count + 1 where id = new.post_id;
    else
        update posts set like_count = like_count - 1 where id = old.post_id;
    end if;
    return null;
end
$$;

create trigger count_likes after insert or delete on likes
for each row execute function count_likes();
