-- parameters:
-- task_ids, executor_id
SELECT durable_task_executions.ready_at, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3))
  DIV 1000 AS seen_at
FROM durable_task_executions FORCE INDEX (durable_ready)
WHERE durable_task_executions.ready_at IS NOT NULL AND (durable_task_executions.task_id IN %s) AND
  (EXISTS (SELECT 1
FROM durable_executors
WHERE durable_executors.executor_id = %s AND durable_executors.lease_expires_at >
  TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)) ORDER BY
  durable_task_executions.ready_at
LIMIT 1;
