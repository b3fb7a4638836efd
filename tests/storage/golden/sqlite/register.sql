-- parameters:
-- who, now, lease_ms, now, now, held_count, ended_count
INSERT INTO durable_executors (executor_id, lease_expires_at, started_at, beat_at, held_count,
  ended_count) VALUES (?, (? + ?), ?, ?, ?, ?);
