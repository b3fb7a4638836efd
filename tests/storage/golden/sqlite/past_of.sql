-- parameters:
-- execution_ids
SELECT durable_task_executions.execution_id, durable_task_executions.past_attempts,
  durable_task_executions.past_attempts_count
FROM durable_task_executions
WHERE durable_task_executions.execution_id IN (SELECT execution_ids.value
FROM json_each(?) AS execution_ids) AND durable_task_executions.past_attempts IS NOT NULL;
