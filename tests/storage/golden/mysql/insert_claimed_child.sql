-- parameters:
-- execution_id, task_id, root_task_id, root_execution_id, parent_task_id,
-- parent_execution_id, index_in_parent, is_only_child, is_finalize, retry,
-- sleep_before_run_ms, timeout_ms, are_children_sequential, status, fence, executor_id,
-- start_at, created_at, updated_at, started_at, expires_at, input
INSERT INTO durable_task_executions (execution_id, task_id, root_task_id, root_execution_id,
  parent_task_id, parent_execution_id, index_in_parent, is_only_child, is_finalize, retry,
  sleep_before_run_ms, timeout_ms, are_children_sequential, status, fence, executor_id, attempt,
  crash_count, start_at, created_at, updated_at, started_at, expires_at, children_count,
  active_children_count, input) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
  %s, 0, 0, %s, %s, %s, %s, %s, 0, 0, %s) ON DUPLICATE KEY UPDATE fence =
  IF(durable_task_executions.execution_id = VALUES(execution_id), durable_task_executions.fence, -1);
