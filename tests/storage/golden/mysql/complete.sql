-- parameters:
-- output, finished_at, finished_at, guard_id, guard_fence
UPDATE durable_task_executions SET status='completed', output=%s, error=NULL, finished_at=%s,
  updated_at=%s WHERE durable_task_executions.execution_id = %s AND durable_task_executions.status =
  'running' AND durable_task_executions.fence = %s;
