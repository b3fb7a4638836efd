-- parameters:
-- none
SELECT durable_executors.executor_id, durable_executors.lease_expires_at
FROM durable_executors
WHERE durable_executors.lease_expires_at <= @now_ms;
