-- parameters:
-- now
SELECT durable_executors.task_ids
FROM durable_executors
WHERE durable_executors.lease_expires_at > ? AND durable_executors.task_ids IS NOT NULL;
