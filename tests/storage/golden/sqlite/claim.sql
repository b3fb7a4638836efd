-- parameters:
-- executor_id, now, now, now, now, task_ids, executor_id, now, limit
UPDATE durable_task_executions SET status='running', executor_id=?,
  fence=(durable_task_executions.fence + 1), started_at=?, expires_at=(? +
  durable_task_executions.timeout_ms), updated_at=? WHERE rowid IN (SELECT picked.rowid
FROM durable_task_executions AS picked
WHERE picked.status = 'ready' AND picked.start_at <= ? AND picked.task_id IN (SELECT task_ids.value
FROM json_each(?) AS task_ids) AND (EXISTS (SELECT 1
FROM durable_executors
WHERE durable_executors.executor_id = ? AND durable_executors.lease_expires_at > ?)) ORDER BY
  picked.start_at
LIMIT ?) RETURNING execution_id, task_id, root_task_id, root_execution_id, parent_task_id,
  parent_execution_id, index_in_parent, is_only_child, is_finalize, sleeping_unique_id,
  idempotency_key, retry, sleep_before_run_ms, timeout_ms, are_children_sequential, status, fence,
  executor_id, attempt, crash_count, start_at, created_at, updated_at, started_at, expires_at,
  waiting_for_children_at, waiting_for_finalize_at, finished_at, children_count,
  active_children_count, tags, error, input, run_output, output, traceparent;
