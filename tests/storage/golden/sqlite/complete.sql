-- parameters:
-- output, finished_at, finished_at, guard_id, guard_fence
UPDATE durable_task_executions SET status='completed', output=?, error=NULL, finished_at=?,
  updated_at=? WHERE durable_task_executions.execution_id = ? AND durable_task_executions.status =
  'running' AND durable_task_executions.fence = ?;
