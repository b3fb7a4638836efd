-- parameters:
-- executor_id, now
SELECT durable_executors.executor_id
FROM durable_executors
WHERE durable_executors.executor_id = ? AND durable_executors.lease_expires_at > ?;
