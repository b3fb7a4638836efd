-- parameters:
-- who
UPDATE durable_executors SET lease_expires_at=0 WHERE durable_executors.executor_id = %s;
