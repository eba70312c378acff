-- Asks for commands, one after the other. KEYS: of each the bucket and the window.
-- ARGV[1], JSON: of each emission interval and burst tolerance of the bucket (seconds), count and length of the
-- window (seconds), and the ticket that marks this command in the window. Interval or count is 0 where bucket or
-- window is not asked, whatever its key.
-- Answers a line for each, all in one string, which is cheap to read: 0 if it may go on, 1 if the bucket refuses
-- it, 2 if the window does; then for bucket and window how many more may go on, and in how many milliseconds one
-- more than that, -1 for what was not asked. Where a key cannot be used, ! and why.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

local function take(bucket, window, interval, tolerance, count, length, ticket)
    local bucket_left, bucket_wait, window_left, window_wait = -1, -1, -1, -1

    local function answer(refused_by)
        return string.format('%d %.0f %.0f %.0f %.0f', refused_by,
            bucket_left, bucket_wait, window_left, window_wait)
    end

    if interval > 0 then
        local due = math.max(tonumber(redis.call('GET', bucket) or now), now)
        if due - now > tolerance then
            bucket_left, bucket_wait = 0, math.ceil((due - now - tolerance) * 1000)
            return answer(1)
        end
        due = due + interval
        redis.call('SET', bucket, string.format('%.6f', due), 'PX', math.ceil((due - now) * 1000) + 1)
        bucket_left = math.max(math.floor((tolerance - (due - now)) / interval) + 1, 0)
        bucket_wait = math.ceil((due + bucket_left * interval - now - tolerance) * 1000)
    end

    if count > 0 then
        redis.call('ZREMRANGEBYSCORE', window, '-inf', now - length)
        local taken = redis.call('ZCARD', window)
        local refused = taken >= count
        if not refused then
            redis.call('ZADD', window, string.format('%.6f', now), ticket)
            redis.call('PEXPIRE', window, math.ceil(length * 1000))
            taken = taken + 1
        end
        local oldest = redis.call('ZRANGE', window, 0, 0, 'WITHSCORES')
        window_left = math.max(count - taken, 0)
        window_wait = math.ceil((tonumber(oldest[2]) + length - now) * 1000)
        if refused then
            return answer(2)
        end
    end
    return answer(0)
end

local answers = {}
for place, asked in ipairs(cjson.decode(ARGV[1])) do
    local fine, answer = pcall(take, KEYS[2 * place - 1], KEYS[2 * place], unpack(asked))
    if not fine then
        local why = type(answer) == 'table' and answer.err or tostring(answer)
        answer = '! ' .. string.gsub(why, '\n', ' ')
    end
    answers[place] = answer
end
return table.concat(answers, '\n')
