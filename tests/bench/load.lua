-- SPDX-License-Identifier: Apache-2.0
-- Load for wrk: MODE TOKEN COUNT [ARGUMENT...].  One line of figures at the end.
--
--   read, write, wrap   of COUNT secrets bench/0000…; a wrapped reply lives an hour
--   list                of list/
--   login               by AppRole: ROLE_ID SECRET_ID
--   create              a token that lives an hour
--   fill                COUNT secrets fill/000000…, each once
--   expire              COUNT tokens, each once: FIRST SPAN, the seconds from now on in
--                       which the first of them expires, and over which the others follow
--
-- fill and expire say when they are complete, since wrk itself goes on until its time is
-- over or it is told.

local threads = {}

function setup(thread)
	table.insert(threads, thread)
end

local function body(i)
	return string.format('{"data":{"username":"app","password":"%032d"}}', i)
end

local function secret(i)
	return string.format("/v1/secret/data/bench/%04d", i)
end

-- What is sent again and again, by mode: requests to choose from.
local function prepare(mode, headers, count, args)
	local out = {}

	if mode == "list" then
		return { wrk.format("GET", "/v1/secret/metadata/list/?list=true", headers) }
	elseif mode == "login" then
		return { wrk.format("POST", "/v1/auth/approle/login", {},
			string.format('{"role_id":"%s","secret_id":"%s"}', args[4], args[5])) }
	elseif mode == "create" then
		return { wrk.format("POST", "/v1/auth/token/create", headers,
			'{"policies":["default"],"ttl":"1h"}') }
	elseif mode == "wrap" then
		headers["X-Vault-Wrap-TTL"] = "1h"
	end
	for i = 1, count do
		out[i] = mode == "write" and wrk.format("POST", secret(i - 1), headers, body(i))
			or wrk.format("GET", secret(i - 1), headers)
	end
	return out
end

-- What is sent once each, by mode: the request number i.
local function once(mode, headers, count, args)
	local first, span, start = tonumber(args[4]), tonumber(args[5]), os.time()

	if mode == "fill" then
		return function(i)
			return wrk.format("POST", string.format("/v1/secret/data/fill/%06d", i),
				headers, body(i))
		end
	end
	return function(i)
		local left = first + math.floor(span * i / count) - (os.time() - start)

		return wrk.format("POST", "/v1/auth/token/create", headers,
			string.format('{"policies":["default"],"ttl":%d}', left))
	end
end

function init(args)
	local mode, count = args[1], tonumber(args[3])
	local headers = { ["X-Vault-Token"] = args[2] }

	failures, answers = 0, 0
	math.randomseed(1)
	if mode == "fill" or mode == "expire" then
		local make, next_one = once(mode, headers, count, args), 0

		request = function()
			next_one = next_one + 1
			return make((next_one - 1) % count)
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
	local prepared = prepare(mode, headers, count, args)
	request = function()
		return prepared[math.random(#prepared)]
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
