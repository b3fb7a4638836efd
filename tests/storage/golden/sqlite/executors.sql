-- parameters:
-- limit
SELECT durable_executors.executor_id, durable_executors.lease_expires_at,
  durable_executors.task_ids, durable_executors.started_at, durable_executors.beat_at,
  durable_executors.held_count, durable_executors.ended_count
FROM durable_executors ORDER BY durable_executors.lease_expires_at DESC,
  durable_executors.executor_id
LIMIT ?;
