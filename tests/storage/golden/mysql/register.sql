-- parameters:
-- who, lease_ms, held_count, ended_count
INSERT INTO durable_executors (executor_id, lease_expires_at, started_at, beat_at, held_count,
  ended_count) VALUES (%s, (@now_ms + %s), @now_ms, @now_ms, %s, %s) ON DUPLICATE KEY UPDATE
  lease_expires_at = VALUES(lease_expires_at), beat_at = VALUES(beat_at), held_count =
  VALUES(held_count), ended_count = VALUES(ended_count);
