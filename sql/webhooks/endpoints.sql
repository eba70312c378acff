-- name: add
-- An endpoint $1 at $2, told of the types $3 on the topics $4, with the sealed secret $5.
insert into webhook_endpoints (id, url, events, topics, secret) values ($1, $2, $3, $4, $5)
returning true as added

-- name: find
-- The endpoint $1, as whoever tells it things needs it.
select id, url, events, topics, secret,
    case when former_until > clock_timestamp() then former_secret end as former_secret,
    failures, failing_since, clock_timestamp() - failing_since as failing_for,
    coalesce(extract(epoch from paused_until - clock_timestamp()), 0)::double precision as paused_seconds,
    disabled_at is not null as disabled
from webhook_endpoints
where id = $1

-- name: list
-- All endpoints, and how many messages each has waiting and dead.
select endpoint.id, endpoint.url, endpoint.events, endpoint.topics,
    case
        when endpoint.disabled_at is not null then 'disabled'
        when endpoint.failing_since is not null then 'failing'
        else 'active'
    end as state,
    endpoint.disabled_because, endpoint.failing_since, endpoint.created_at,
    count(message.topic) filter (where message.dead_at is null) as waiting,
    count(message.topic) filter (where message.dead_at is not null) as dead
from webhook_endpoints as endpoint
left join webhook_messages as message on message.endpoint_id = endpoint.id
group by endpoint.id
order by endpoint.created_at, endpoint.id

-- name: list_free
-- The endpoints that are to be told things, and that no process tells anything just now.
select endpoint.id
from webhook_endpoints as endpoint
join consumers as consumer on consumer.name = 'webhook:' || endpoint.id
where endpoint.disabled_at is null
    and (consumer.held_until is null or consumer.held_until < clock_timestamp())

-- name: rotate
-- The endpoint $1 has the sealed secret $2; the one before signs, too, for another $3.
update webhook_endpoints
set secret = $2, former_secret = secret, former_until = clock_timestamp() + $3::interval
where id = $1
returning true as rotated

-- name: enable
-- The endpoint $1 is to be told things again, as if it had never failed.
update webhook_endpoints
set disabled_at = null, disabled_because = null, failures = 0, failing_since = null, paused_until = null
where id = $1
returning true as enabled

-- name: disable
-- The endpoint $1 is told nothing any more, because $2.
update webhook_endpoints
set disabled_at = clock_timestamp(), disabled_because = $2
where id = $1 and disabled_at is null
returning true as disabled

-- name: remove
-- There is no endpoint $1 any more.
delete from webhook_endpoints where id = $1 returning true as removed

-- name: note_health
-- The endpoint $1 has failed $2 times in a row, is let alone for another $3, and has failed since before if it fails.
update webhook_endpoints
set failures = $2, paused_until = clock_timestamp() + $3::interval,
    failing_since = case when $2 > 0 then coalesce(failing_since, clock_timestamp()) end
where id = $1
