-- parameters:
-- executor_id
SELECT 1
FROM durable_executors
WHERE durable_executors.executor_id = CAST($1 AS TEXT) AND durable_executors.lease_expires_at >
  CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) FOR KEY SHARE SKIP LOCKED;
