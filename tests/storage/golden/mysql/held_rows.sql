-- parameters:
-- execution_ids
SELECT durable_task_executions.execution_id, durable_task_executions.fence
FROM durable_task_executions
WHERE (durable_task_executions.execution_id IN %s) AND status = 'running' ORDER BY
  durable_task_executions.execution_id DESC LOCK IN SHARE MODE;
