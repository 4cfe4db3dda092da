-- Plays pre-signed request targets, one a line, from a file.
--
--   wrk ... -s wrk.lua http://host -- METHOD FILE BODY_BYTES once|cycle THREADS
--
-- Thread i of n plays lines i, i+n, i+2n, ...; with `once` the run ends when a thread has sent its
-- last line, else it begins again. No `response` callback: it would make wrk parse headers and
-- call Lua for every reply. The result is one line of JSON on standard output.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } bench_timespec;
  int clock_gettime(int clock, bench_timespec *now);
  int getpid(void);
  int kill(int pid, int signal);
]]
local MONOTONIC, SIGINT = 1, 2
local timespec = ffi.new("bench_timespec")

local function now()
  ffi.C.clock_gettime(MONOTONIC, timespec)
  return tonumber(timespec.seconds) + tonumber(timespec.nanoseconds) / 1e9
end

local threads = {}

function setup(thread)
  thread:set("id", #threads)
  table.insert(threads, thread)
end

-- Globals of a thread's own state, which `done` reads: issued, started, ended.
issued, started, ended = 0, 0, 0
local targets, before, after, once = {}, "", "", false
local next_target, verified = 1, false

function init(args)
  local method, file, size = args[1], args[2], tonumber(args[3])
  once = args[4] == "once"
  local count = tonumber(args[5])
  local line_number = 0
  for line in io.lines(file) do
    if line_number % count == id then targets[#targets + 1] = line end
    line_number = line_number + 1
  end
  before = method .. " "
  after = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n"
  if method == "PUT" then
    after = after .. "Content-Length: " .. size .. "\r\n\r\n" .. string.rep("x", size)
  else
    after = after .. "\r\n"
  end
end

function request()
  if id == 0 and not verified then
    verified = true -- wrk asks the first thread once just to look at the request
    return before .. targets[1] .. after
  end
  if issued == 0 then started = now() end
  local target = targets[next_target]
  if target == nil then
    if once then
      if ended == 0 then
        ended = now()
        ffi.C.kill(ffi.C.getpid(), SIGINT) -- wakes wrk from its sleep: it reports and leaves
      end
      wrk.thread:stop()
      return "GET / HTTP/1.0\r\n\r\n" -- the loop stops after this turn: never answered
    end
    next_target, target = 1, targets[1]
  end
  next_target = next_target + 1
  issued = issued + 1
  return before .. target .. after
end

function done(summary, latency, requests)
  local finish, elapsed, sent = now(), 0, {}
  for i, thread in ipairs(threads) do
    local from, to = thread:get("started"), thread:get("ended")
    if to == 0 then to = finish end
    if from > 0 then elapsed = elapsed + (to - from) / #threads end
    sent[i] = thread:get("issued")
  end
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"elapsed":%.6f,"issued":[%s],"bytes":%d,"p50":%.6f,"p99":%.6f,' ..
    '"status_errors":%d,"socket_errors":%d}\n',
    summary.requests, elapsed, table.concat(sent, ","), summary.bytes,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    e.status, e.connect + e.read + e.write + e.timeout))
end
