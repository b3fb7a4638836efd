-- parameters:
-- start_at, updated_at, attempt, crash_count, error, guard_id, guard_status, guard_fence,
-- must_be_joinable, guard_expires_at
UPDATE durable_task_executions SET status='ready', executor_id=NULL, started_at=NULL,
  expires_at=NULL, sleeping_unique_id=NULL, start_at=%s, updated_at=%s, attempt=%s, crash_count=%s,
  error=%s WHERE durable_task_executions.execution_id = %s AND durable_task_executions.status = %s
  AND durable_task_executions.fence = %s AND (%s = 0 OR
  durable_task_executions.active_children_count = 0) AND coalesce(%s,
  durable_task_executions.expires_at, 0) = coalesce(durable_task_executions.expires_at, 0);
