-- Push from Lua 5.1 or LuaJIT with LuaSocket (Debian: lua-socket):
--     lua5.1 push.lua http://127.0.0.1:1969
local http = require("socket.http")
local ltn12 = require("ltn12")

local url = arg[1] or "http://127.0.0.1:1969"
local now = os.time() * 1000

local function quote(s)
  return '"' .. s:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
end

-- One series as a line of JSON.
local function line(labels, times, values)
  local pairs_, t, v = {}, {}, {}
  for name, value in pairs(labels) do
    pairs_[#pairs_ + 1] = quote(name) .. ":" .. quote(value)
  end
  for i = 1, #times do
    t[i] = ("%.0f"):format(times[i])
    v[i] = ("%.17g"):format(values[i])
  end
  return ('{"labels":{%s},"t":[%s],"v":[%s]}'):format(
    table.concat(pairs_, ","), table.concat(t, ","), table.concat(v, ","))
end

local body = table.concat({
  line({ __name__ = "example_lua", room = "kitchen" }, { now - 1000, now }, { 20.5, 20.6 }),
  line({ __name__ = "example_lua", room = "cellar" }, { now }, { 12 }),
}, "\n")

local reply = {}
local ok, status = http.request({
  url = url .. "/api/v1/push",
  method = "POST",
  headers = {
    ["Content-Type"] = "application/x-ndjson",
    ["Content-Length"] = #body,
    ["Idempotency-Key"] = ("lua-%d-%d"):format(now, math.random(2 ^ 30)),
  },
  source = ltn12.source.string(body),
  sink = ltn12.sink.table(reply),
})
print(status, table.concat(reply))
os.exit(ok and status == 200 and 0 or 1)
