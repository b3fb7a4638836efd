-- parameters:
-- output, finished_at, guard_id, guard_fence
UPDATE durable_task_executions SET status='completed', output=done.column1, error=NULL,
  finished_at=done.column2, updated_at=done.column2 FROM (VALUES (?, ?, ?, ?)) AS done WHERE
  durable_task_executions.execution_id = done.column3 AND durable_task_executions.status = 'running'
  AND durable_task_executions.fence = done.column4;
