-- parameters:
-- execution_ids, who
SELECT durable_task_executions.execution_id, durable_task_executions.fence
FROM durable_task_executions
WHERE (durable_task_executions.execution_id IN %s) AND status = 'running' AND sleeping_unique_id IS
  NULL AND durable_task_executions.executor_id = %s;
