-- parameters:
-- none
SELECT durable_executors.task_ids
FROM durable_executors
WHERE durable_executors.lease_expires_at > CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT)
  AND durable_executors.task_ids IS NOT NULL;
