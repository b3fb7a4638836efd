-- parameters:
-- who, now, lease_ms
INSERT INTO durable_executors (executor_id, lease_expires_at) VALUES (?, (? + ?));
