-- SPDX-License-Identifier: Apache-2.0
-- Load for wrk: read|write|fill TOKEN SECRETS.  One line of figures at the end; a fill says
-- when it is complete, since wrk itself goes on until its time is over or it is told.

local threads = {}

function setup(thread)
	table.insert(threads, thread)
end

local function body(i)
	return string.format('{"data":{"username":"app","password":"%032d"}}', i)
end

function init(args)
	local mode, token, count = args[1], args[2], tonumber(args[3])
	local headers = { ["X-Vault-Token"] = token }
	local prepared = {}

	failures, answers = 0, 0
	math.randomseed(1)
	if mode == "fill" then
		local next_one = 0
		request = function()
			local i = next_one
			next_one = next_one + 1
			return wrk.format("POST", string.format("/v1/secret/data/fill/%06d", i % count),
				headers, body(i))
		end
		response = function(status)
			answers = answers + 1
			if status ~= 200 then
				failures = failures + 1
			end
			if answers == count then
				print("FILLED " .. failures)
				io.flush()
				wrk.thread:stop()
			end
		end
		return
	end
	for i = 1, count do
		local path = string.format("/v1/secret/data/bench/%04d", i - 1)
		prepared[i] = mode == "write" and wrk.format("POST", path, headers, body(i))
			or wrk.format("GET", path, headers)
	end
	request = function()
		return prepared[math.random(count)]
	end
end

function done(summary, latency)
	local e, own = summary.errors, 0

	for _, thread in ipairs(threads) do
		own = own + (thread:get("failures") or 0)
	end
	print(string.format("RESULT %d %d %d %d %d", summary.requests, summary.duration,
		latency:percentile(50), latency:percentile(99),
		e.connect + e.read + e.write + e.status + e.timeout + own))
end
