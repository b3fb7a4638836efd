-- parameters:
-- parent_execution_ids
SELECT durable_task_executions.parent_execution_id, count(*) AS count_1
FROM durable_task_executions
WHERE durable_task_executions.parent_execution_id = any(CAST($1 AS TEXT[])) AND NOT
  durable_task_executions.is_finalize GROUP BY durable_task_executions.parent_execution_id;
