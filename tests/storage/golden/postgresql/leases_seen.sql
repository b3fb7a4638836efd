-- parameters:
-- who
SELECT durable_executors.executor_id, durable_executors.lease_expires_at, CAST(floor(extract(epoch
  FROM now()) * 1000) AS BIGINT) AS seen_at
FROM durable_executors
WHERE durable_executors.executor_id = $1 OR durable_executors.lease_expires_at <=
  CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT);
