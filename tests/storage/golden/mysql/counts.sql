-- parameters:
-- none
SELECT durable_task_executions.task_id, durable_task_executions.status, count(*) AS count_1
FROM durable_task_executions GROUP BY durable_task_executions.task_id,
  durable_task_executions.status;
