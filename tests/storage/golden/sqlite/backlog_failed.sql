-- parameters:
-- limit, since
SELECT failed.task_id, failed.status, count(*) AS count_1
FROM (SELECT durable_task_executions.task_id AS task_id, durable_task_executions.status AS status,
  durable_task_executions.finished_at AS finished_at
FROM durable_task_executions
WHERE status IN ('cancelled', 'failed', 'finalize_failed', 'timed_out') ORDER BY
  durable_task_executions.execution_id DESC
LIMIT ?) AS failed
WHERE failed.finished_at >= ? GROUP BY failed.task_id, failed.status;
