-- parameters:
-- who, lease
DELETE FROM durable_executors WHERE durable_executors.executor_id = ? AND
  durable_executors.lease_expires_at = ?;
