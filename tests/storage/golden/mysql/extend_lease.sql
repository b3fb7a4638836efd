-- parameters:
-- who, lease_ms
INSERT INTO durable_executors (executor_id, lease_expires_at) VALUES (%s, (@now_ms + %s)) ON
  DUPLICATE KEY UPDATE lease_expires_at = VALUES(lease_expires_at);
