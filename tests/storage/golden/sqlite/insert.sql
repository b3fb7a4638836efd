-- parameters:
-- execution_id, task_id, root_task_id, root_execution_id, parent_task_id,
-- parent_execution_id, index_in_parent, is_only_child, is_finalize, sleeping_unique_id,
-- idempotency_key, retry, sleep_before_run_ms, timeout_ms, are_children_sequential, status,
-- fence, executor_id, attempt, crash_count, start_at, created_at, updated_at, started_at,
-- expires_at, waiting_for_children_at, waiting_for_finalize_at, finished_at, children_count,
-- active_children_count, tags, error, input, run_output, output, traceparent
INSERT INTO durable_task_executions (execution_id, task_id, root_task_id, root_execution_id,
  parent_task_id, parent_execution_id, index_in_parent, is_only_child, is_finalize,
  sleeping_unique_id, idempotency_key, retry, sleep_before_run_ms, timeout_ms,
  are_children_sequential, status, fence, executor_id, attempt, crash_count, start_at, created_at,
  updated_at, started_at, expires_at, waiting_for_children_at, waiting_for_finalize_at, finished_at,
  children_count, active_children_count, tags, error, input, run_output, output, traceparent) VALUES
  (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
  ?, ?, ?, ?) ON CONFLICT (execution_id) DO NOTHING;
