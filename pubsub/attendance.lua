-- Takes in what one node says of who is at a place, and answers who is there over all nodes.
-- KEYS: when each node's share fades; each node's visitors; `node/user` for each user of a node; when each
-- user came; what to tell of each user.
-- ARGV: the node; for how many milliseconds its share stays; '1' where it says all of it and not only what
-- changed; its visitors; how many users to tell of; how many came; then each who came, with what to tell
-- of them; then each who left.
-- Answers nothing where the node has to say all; else the seconds and microseconds of the clock, how many
-- are there, and what to tell of those who came last.
local FADES, VISITORS, AT, CAME, TELL = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local node, life, visitors = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function leave(from, user)
    redis.call('ZREM', AT, from .. '/' .. user)
    for _, other in ipairs(redis.call('ZRANGE', FADES, 0, -1)) do
        if redis.call('ZSCORE', AT, other .. '/' .. user) then
            return
        end
    end
    redis.call('ZREM', CAME, user)
    redis.call('HDEL', TELL, user)
end

-- '0' is the character after '/'.
local function forget(gone)
    redis.call('ZREM', FADES, gone)
    redis.call('HDEL', VISITORS, gone)
    for _, at in ipairs(redis.call('ZRANGEBYLEX', AT, '[' .. gone .. '/', '(' .. gone .. '0')) do
        leave(gone, string.sub(at, #gone + 2))
    end
end

for _, faded in ipairs(redis.call('ZRANGEBYSCORE', FADES, '-inf', now)) do
    forget(faded)
end
if ARGV[3] == '1' then
    forget(node)
elseif not redis.call('ZSCORE', FADES, node) then
    return false
end
redis.call('ZADD', FADES, now + life, node)
redis.call('HSET', VISITORS, node, visitors)

local first_left = 7 + 2 * ARGV[6]
for place = 7, first_left - 1, 2 do
    local user = ARGV[place]
    redis.call('ZADD', AT, 0, node .. '/' .. user)
    redis.call('ZADD', CAME, 'NX', clock[1] * 1000000 + clock[2], user)
    redis.call('HSET', TELL, user, ARGV[place + 1])
end
for place = first_left, #ARGV do
    leave(node, ARGV[place])
end
if visitors == 0 and redis.call('ZLEXCOUNT', AT, '[' .. node .. '/', '(' .. node .. '0') == 0 then
    forget(node)
end

for _, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, life)
end
local viewers = redis.call('ZCARD', CAME)
for _, each in ipairs(redis.call('HVALS', VISITORS)) do
    viewers = viewers + each
end
local answer = { tonumber(clock[1]), tonumber(clock[2]), viewers }
local newest = redis.call('ZREVRANGE', CAME, 0, ARGV[5] - 1)
if #newest > 0 then
    for _, told in ipairs(redis.call('HMGET', TELL, unpack(newest))) do
        answer[#answer + 1] = told
    end
end
return answer
