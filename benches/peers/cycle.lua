-- For wrk: sends the requests of the file that PORTICO_REQUESTS names, one a line, in turn. A line is a path, and a token after a space if it has one.
local requests, next = {}, 0

function init()
  for line in io.lines(os.getenv("PORTICO_REQUESTS")) do
    local path, token = line:match("^(%S+) ?(%S*)$")
    requests[#requests + 1] = wrk.format("GET", path, token ~= "" and { Host = wrk.headers.Host, Authorization = "Bearer " .. token } or nil)
  end
end

function request()
  next = next % #requests + 1
  return requests[next]
end
