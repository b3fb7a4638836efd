-- parameters:
-- status, executor_id, sleeping_unique_id, start_at, started_at, expires_at, updated_at,
-- error, active_children_count, guard_id, guard_status, guard_fence
UPDATE durable_task_executions SET fence=(durable_task_executions.fence + 1), attempt=0,
  crash_count=0, finished_at=NULL, status=?, executor_id=?, sleeping_unique_id=?, start_at=?,
  started_at=?, expires_at=?, updated_at=?, error=?, active_children_count=? WHERE
  durable_task_executions.execution_id = ? AND durable_task_executions.status = ? AND
  durable_task_executions.fence = ?;
