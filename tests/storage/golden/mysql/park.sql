-- parameters:
-- expires_at, expires_at, sleeping_unique_id, updated_at, guard_id, guard_status,
-- guard_fence, at_most_active, guard_expires_at
UPDATE durable_task_executions SET expires_at=CASE WHEN (CASE WHEN
  (durable_task_executions.sleeping_unique_id IS NOT NULL) THEN durable_task_executions.expires_at
  ELSE 0 END > %s) THEN CASE WHEN (durable_task_executions.sleeping_unique_id IS NOT NULL) THEN
  durable_task_executions.expires_at ELSE 0 END ELSE %s END, executor_id=NULL,
  sleeping_unique_id=%s, updated_at=%s WHERE durable_task_executions.execution_id = %s AND
  durable_task_executions.status = %s AND durable_task_executions.fence = %s AND
  durable_task_executions.active_children_count <= %s AND coalesce(%s,
  durable_task_executions.expires_at, 0) = coalesce(durable_task_executions.expires_at, 0);
