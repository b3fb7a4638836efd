-- parameters:
-- none
SELECT min(durable_task_executions.asleep_until) AS min_1, TIMESTAMPDIFF(MICROSECOND, '1970-01-01',
  UTC_TIMESTAMP(3)) DIV 1000 AS seen_at
FROM durable_task_executions
WHERE durable_task_executions.asleep_until IS NOT NULL;
