-- Counts a command anew as of now, whether or not there is room. KEYS: its window.
-- ARGV: the window's length (seconds), and the ticket that marks the command in it.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
redis.call('ZADD', KEYS[1], string.format('%.6f', now), ARGV[2])
redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1]) * 1000))
