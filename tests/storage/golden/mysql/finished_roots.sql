-- parameters:
-- id_before, finished_before, limit
SELECT durable_task_executions.execution_id
FROM durable_task_executions FORCE INDEX (PRIMARY)
WHERE durable_task_executions.execution_id < %s AND durable_task_executions.parent_execution_id IS
  NULL AND durable_task_executions.finished_at < %s ORDER BY durable_task_executions.execution_id
LIMIT %s;
