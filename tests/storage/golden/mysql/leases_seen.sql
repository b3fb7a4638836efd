-- parameters:
-- who
SELECT durable_executors.executor_id, durable_executors.lease_expires_at, @now_ms AS seen_at
FROM durable_executors
WHERE durable_executors.executor_id = %s OR durable_executors.lease_expires_at <= @now_ms;
