-- migrate:up

-- The most liked of each type: of all types they are merged.
create index posts_most_liked_of_type on community_posts (asset_type, like_count desc, id desc)
    include (user_id, is_hidden);
drop index posts_most_liked;

-- migrate:down

create index posts_most_liked on community_posts (like_count desc, id desc);
drop index posts_most_liked_of_type;
