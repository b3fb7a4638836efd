-- parameters:
-- execution_ids
SELECT durable_task_executions.execution_id, durable_task_executions.past_attempts,
  durable_task_executions.past_attempts_count
FROM durable_task_executions
WHERE durable_task_executions.execution_id = any(CAST($1 AS TEXT[])) AND
  durable_task_executions.past_attempts IS NOT NULL;
