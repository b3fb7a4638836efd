-- parameters:
-- who
SELECT durable_executors.lease_expires_at
FROM durable_executors
WHERE durable_executors.executor_id = ?;
