-- parameters:
-- who, lease_ms, held_count, ended_count
INSERT INTO durable_executors (executor_id, lease_expires_at, started_at, beat_at, held_count,
  ended_count) VALUES (%s, (TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000 +
  %s), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000,
  TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000, %s, %s) ON DUPLICATE KEY
  UPDATE lease_expires_at = VALUES(lease_expires_at), beat_at = VALUES(beat_at), held_count =
  VALUES(held_count), ended_count = VALUES(ended_count);
