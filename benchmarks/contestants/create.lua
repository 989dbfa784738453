-- Creates a product with a SKU of its own in each request; the argument after `--` is their prefix.
local thread_number = 0

function setup(thread)
    thread:set("number", thread_number)
    thread_number = thread_number + 1
end

function init(arguments)
    prefix, count = arguments[1], 0
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
end

function request()
    count = count + 1
    local sku = string.format("%s-%d-%d", prefix, number, count)
    return wrk.format(nil, nil, nil, '{"sku":"' .. sku .. '","name":"Lamp","price":"12.50"}')
end
