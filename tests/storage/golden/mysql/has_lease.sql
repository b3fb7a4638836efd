-- parameters:
-- executor_id
SELECT durable_executors.executor_id
FROM durable_executors
WHERE durable_executors.executor_id = %s AND durable_executors.lease_expires_at > @now_ms FOR UPDATE;
