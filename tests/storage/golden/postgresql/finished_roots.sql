-- parameters:
-- id_before, finished_before, limit
SELECT durable_task_executions.execution_id
FROM durable_task_executions
WHERE durable_task_executions.execution_id < $1 AND durable_task_executions.parent_execution_id IS
  NULL AND durable_task_executions.finished_at < $2 ORDER BY durable_task_executions.execution_id
LIMIT $3;
