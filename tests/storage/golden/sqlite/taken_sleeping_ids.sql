-- parameters:
-- sleeping_unique_ids
SELECT durable_task_executions.sleeping_unique_id, durable_task_executions.execution_id
FROM durable_task_executions
WHERE durable_task_executions.sleeping_unique_id IN (SELECT sleeping_unique_ids.value
FROM json_each(?) AS sleeping_unique_ids);
