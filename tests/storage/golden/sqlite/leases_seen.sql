-- parameters:
-- now, who, now
SELECT durable_executors.executor_id, durable_executors.lease_expires_at, ? AS seen_at
FROM durable_executors
WHERE durable_executors.executor_id = ? OR durable_executors.lease_expires_at <= ?;
