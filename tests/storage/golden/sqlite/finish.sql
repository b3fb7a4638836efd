-- parameters:
-- status, output, error, finished_at, finished_at, guard_id, guard_status, guard_fence,
-- guard_children_count, at_most_active, guard_expires_at
UPDATE durable_task_executions SET status=?, output=?, error=?, finished_at=?, updated_at=?,
  active_children_count=0 WHERE durable_task_executions.execution_id = ? AND
  durable_task_executions.status = ? AND durable_task_executions.fence = ? +
  coalesce(durable_task_executions.children_count - ?, 0) AND
  durable_task_executions.active_children_count <= ? AND coalesce(?,
  durable_task_executions.expires_at, 0) = coalesce(durable_task_executions.expires_at, 0);
