-- parameters:
-- task_ids
SELECT durable_task_executions.task_id, durable_task_executions.status, count(*) AS count_1
FROM durable_task_executions
WHERE durable_task_executions.task_id IN %s GROUP BY durable_task_executions.task_id,
  durable_task_executions.status;
