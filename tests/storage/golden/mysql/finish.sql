-- parameters:
-- status, output, error, finished_at, finished_at, guard_id, guard_status, guard_fence,
-- guard_children_count, at_most_active, guard_expires_at
UPDATE durable_task_executions SET status=%s, output=%s, error=%s, finished_at=%s, updated_at=%s,
  active_children_count=0 WHERE durable_task_executions.execution_id = %s AND
  durable_task_executions.status = %s AND durable_task_executions.fence = %s +
  coalesce(durable_task_executions.children_count - %s, 0) AND
  durable_task_executions.active_children_count <= %s AND coalesce(%s,
  durable_task_executions.expires_at, 0) = coalesce(durable_task_executions.expires_at, 0);
