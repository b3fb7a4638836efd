-- parameters:
-- who, lease_ms
INSERT INTO durable_executors (executor_id, lease_expires_at) VALUES ($1, (CAST(floor(extract(epoch
  FROM now()) * 1000) AS BIGINT) + $2)) ON CONFLICT (executor_id) DO UPDATE SET lease_expires_at =
  excluded.lease_expires_at;
