-- parameters:
-- parent_execution_ids
SELECT durable_task_executions.parent_execution_id, count(*) AS count_1
FROM durable_task_executions
WHERE durable_task_executions.parent_execution_id IN (SELECT parent_execution_ids.value
FROM json_each(?) AS parent_execution_ids) AND durable_task_executions.is_finalize = 0 GROUP BY
  durable_task_executions.parent_execution_id;
