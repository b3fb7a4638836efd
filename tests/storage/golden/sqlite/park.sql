-- parameters:
-- expires_at, expires_at, sleeping_unique_id, updated_at, guard_id, guard_status,
-- guard_fence, at_most_active, guard_expires_at
UPDATE durable_task_executions SET expires_at=CASE WHEN (CASE WHEN
  (durable_task_executions.sleeping_unique_id IS NOT NULL) THEN durable_task_executions.expires_at
  ELSE 0 END > ?) THEN CASE WHEN (durable_task_executions.sleeping_unique_id IS NOT NULL) THEN
  durable_task_executions.expires_at ELSE 0 END ELSE ? END, executor_id=NULL, sleeping_unique_id=?,
  updated_at=? WHERE durable_task_executions.execution_id = ? AND durable_task_executions.status = ?
  AND durable_task_executions.fence = ? AND durable_task_executions.active_children_count <= ? AND
  coalesce(?, durable_task_executions.expires_at, 0) = coalesce(durable_task_executions.expires_at,
  0);
