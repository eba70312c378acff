-- migrate:up

-- What is hidden is little: whoever counts without it counts all, and takes this off.
create index posts_hidden_by_id on community_posts (id) include (user_id) where is_hidden;

-- migrate:down

drop index posts_hidden_by_id;
