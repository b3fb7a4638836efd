-- parameters:
-- execution_ids
SELECT durable_task_executions.execution_id, durable_task_executions.status,
  durable_task_executions.fence, durable_task_execution_progress.fence AS fence_1,
  durable_task_execution_progress.number, durable_task_execution_progress.fraction,
  durable_task_execution_progress.message, durable_task_execution_progress.updated_at
FROM durable_task_executions LEFT OUTER JOIN durable_task_execution_progress ON
  durable_task_execution_progress.execution_id = durable_task_executions.execution_id
WHERE durable_task_executions.execution_id IN %s;
