-- migrate:up

-- Who likes and follows whom, newest first. What ends each of these tells rows of one moment apart, and
-- is what the list shows: it is read from the index alone.
drop index likes_newest;
create index likes_newest on community_likes (post_id, created_at desc, user_id desc);
drop index likes_of_user;
create index likes_of_user on community_likes (user_id, created_at desc, post_id desc);
drop index follows_newest;
create index follows_newest on community_follows (following_id, created_at desc, follower_id desc);
create index follows_of_user on community_follows (follower_id, created_at desc, following_id desc);

create index posts_featured on community_posts (created_at desc, id desc) include (is_hidden)
    where is_featured;

-- migrate:down

drop index posts_featured;
drop index follows_of_user;
drop index follows_newest;
create index follows_newest on community_follows (following_id, created_at desc);
drop index likes_of_user;
create index likes_of_user on community_likes (user_id, created_at desc);
drop index likes_newest;
create index likes_newest on community_likes (post_id, created_at desc);
