-- parameters:
-- limit, since
SELECT failed.task_id, failed.status, count(*) AS count_1
FROM (SELECT durable_task_executions.task_id AS task_id, durable_task_executions.status AS status,
  durable_task_executions.finished_at AS finished_at
FROM durable_task_executions
WHERE durable_task_executions.failed_id IS NOT NULL ORDER BY durable_task_executions.failed_id DESC
LIMIT $1) AS failed
WHERE failed.finished_at >= $2 GROUP BY failed.task_id, failed.status;
