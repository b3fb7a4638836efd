-- parameters:
-- now, lease_ms, who
UPDATE durable_executors SET lease_expires_at=(? + ?) WHERE durable_executors.executor_id = ?;
