local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local draw, units = ARGV[1], tonumber(ARGV[2])
local found = redis.call('GET', KEYS[1]) or ''
local answer = {now, found}

if string.find(found, '[^%d ]') then return answer end
local numbers, count, read = {}, 0, 0
for word in string.gmatch(found, '%d+') do
  local number = word + 0
  if number >= 2^53 then return answer end
  count = count + 1
  numbers[count] = number
end

local function up(number, step)
  local over = math.fmod(number, step)
  return over > 0 and number - over + step or number
end

local function add(taken, at, units)
  local place = #taken
  while place > 0 and taken[place - 1] > at do place = place - 2 end
  if place > 0 and taken[place - 1] == at then
    taken[place] = math.min(taken[place] + units, 2^32 - 1)
  elseif units > 0 then
    table.insert(taken, place + 1, at)
    table.insert(taken, place + 2, units)
  end
end

local rules, passes, cut, told = {}, true, false, 3
while ARGV[told] do
  local kind, first, second, rule = ARGV[told], ARGV[told + 1] + 0, ARGV[told + 2] + 0, {}
  read = read + 1
  local stored = count == 0 and 0 or numbers[read]
  if not stored then return answer end
  if kind == '0' then
    rule.interval, rule.latest = first, now + first * second
    if stored > rule.latest + 1000000 then
      stored, cut = rule.latest, true
    end
    rule.tat = math.max(stored, now)
    passes = passes and rule.tat + first * units <= rule.latest
    told = told + 3
  else
    local back, believed
    if kind == '1' then
      back = up(now + second, up(second, 60) / 60)
      believed = back + 1000000
      told = told + 3
    else
      local this, after = ARGV[told + 3] + 0, ARGV[told + 4] + 0
      local function following(time)
        local length = math.max(after - this, 1)
        return second > time and second or this > time and this or after > time and after
          or time - math.fmod(time - after, length) + length
      end
      back, rule.ends = following(now), this
      believed = back <= now + 1000000 and following(back) or back
      told = told + 5
    end
    local taken, used, last = {}, 0, 0
    for place = read + 1, read + 2 * stored, 2 do
      local at, some = numbers[place], numbers[place + 1]
      if not some or some >= 2^32 or at < last then return answer end
      last = at
      if at > believed then
        at, cut = back, true
      end
      if at > now then add(taken, at, some) end
    end
    local begun = taken[#taken - 1]
    if kind == '2' and begun and begun > back then
      taken, back = {begun, taken[#taken]}, begun
    end
    read = read + 2 * stored
    for place = 2, #taken, 2 do used = used + taken[place] end
    passes = passes and used + units <= first
    rule.taken, rule.back, rule.left = taken, back, math.max(first - used, 0)
  end
  rules[#rules + 1] = rule
end
if count > 0 and read < count then return answer end

if draw == '0' and not passes then units = 0 end
if units == 0 and not cut then return answer end
local words, idle = {}, now
for _, rule in ipairs(rules) do
  local tat, taken = rule.tat, rule.taken
  if tat then
    local drawn = rule.interval * units
    tat = draw == '2' and math.max(tat - drawn, now) or math.max(math.min(tat + drawn, rule.latest), tat)
    words[#words + 1] = string.format('%.0f', tat)
    idle = math.max(idle, tat)
  else
    local given = 0
    if draw == '2' then given = units else add(taken, rule.back, math.min(units, rule.left)) end
    local head = #words + 1
    words[head] = 0
    for place = 1, #taken, 2 do
      local some = rule.ends and taken[place] > rule.ends and 0 or math.min(taken[place + 1], given)
      given = given - some
      if some < taken[place + 1] then
        words[#words + 1] = string.format('%.0f %.0f', taken[place], taken[place + 1] - some)
        words[head] = words[head] + 1
        idle = math.max(idle, taken[place])
      end
    end
  end
end
redis.call('SET', KEYS[1], table.concat(words, ' '), 'PX', math.ceil((idle - now) / 1000) + 1000)
return answer
