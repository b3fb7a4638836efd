-- parameters:
-- now, lease_ms, now, held_count, ended_count, who
UPDATE durable_executors SET lease_expires_at=(? + ?), beat_at=?, held_count=?, ended_count=? WHERE
  durable_executors.executor_id = ?;
