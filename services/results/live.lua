-- One micro-batch of one partition of `inspections` -> live view, counters and ledger, at once or not at all.
-- KEYS[1] the hash `written`; the other keys are named by their number in ARGV[1].
-- ARGV[1] JSON: position_field, before (the offset that must stand there, -1 for none), after, cap, gap_field,
--   kinds [[written_field, live, ledger, count, minute, outcome, [counter, ...]], ...] of records that differ in their offset and latency alone,
--   records [[kind (from 1), offset, latency counter or ""], ...], expiries [[key, unix time], ...]
-- ARGV[2..] the inspections as JSON, one a record.
-- Returns {1, written, passed over, gap} or {0, the offset that stands there}.
local batch = cjson.decode(ARGV[1])
local stands = tonumber(redis.call('HGET', KEYS[1], batch.position_field) or '-1')
if stands ~= batch.before then
  return {0, string.format('%.0f', stands)}
end

local high, sums, written, passed, gap = {}, {}, 0, 0, 0
local function add(key, field, by)
  local sum = sums[key]
  if not sum then sum = {}; sums[key] = sum end
  sum[field] = (sum[field] or 0) + by
end

for number, record in ipairs(batch.records) do
  local kind, offset, latency = batch.kinds[record[1]], record[2], record[3]
  local field, live, ledger, count, minute, outcome, counters = unpack(kind)
  if not high[field] then high[field] = tonumber(redis.call('HGET', KEYS[1], field) or '-1') end
  if offset > high[field] then
    local missing = offset - high[field] - 1
    if missing > 0 then add(ledger, batch.gap_field, missing); gap = gap + missing end
    high[field] = offset
    written = written + 1
    redis.call('XADD', KEYS[live], 'MAXLEN', '~', batch.cap, '*', 'inspection', ARGV[number + 1])
    add(ledger, outcome, 1)
    for _, name in ipairs(counters) do add(count, name, 1); add(minute, name, 1) end
    if latency ~= '' then add(minute, latency, 1) end
  else
    passed = passed + 1
    add(ledger, 'redelivered', 1)
  end
end

for key, sum in pairs(sums) do
  for field, by in pairs(sum) do redis.call('HINCRBY', KEYS[key], field, string.format('%.0f', by)) end
end
for field, offset in pairs(high) do redis.call('HSET', KEYS[1], field, string.format('%.0f', offset)) end
for _, expiry in ipairs(batch.expiries) do redis.call('EXPIREAT', KEYS[expiry[1]], string.format('%.0f', expiry[2])) end
redis.call('HSET', KEYS[1], batch.position_field, string.format('%.0f', batch.after))
return {1, written, passed, gap}
