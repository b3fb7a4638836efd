-- parameters:
-- who, lease_ms, held_count, ended_count
INSERT INTO durable_executors (executor_id, lease_expires_at, started_at, beat_at, held_count,
  ended_count) VALUES ($1, (CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) + $2),
  CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT), CAST(floor(extract(epoch FROM now()) *
  1000) AS BIGINT), $3, $4) ON CONFLICT (executor_id) DO UPDATE SET lease_expires_at =
  excluded.lease_expires_at, beat_at = excluded.beat_at, held_count = excluded.held_count,
  ended_count = excluded.ended_count;
