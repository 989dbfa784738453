-- Creates a row with a name of its own in each request. The arguments after `--` are the method, the
-- body with NAME in it, and a prefix of the names.
local thread_number = 0

function setup(thread)
    thread:set("number", thread_number)
    thread_number = thread_number + 1
end

function init(arguments)
    wrk.method, body, prefix, count = arguments[1], arguments[2], arguments[3], 0
    wrk.headers["Content-Type"] = "application/json"
end

function request()
    count = count + 1
    local name = string.format("%s-%d-%d", prefix, number, count)
    return wrk.format(nil, nil, nil, (string.gsub(body, "NAME", name)))
end
