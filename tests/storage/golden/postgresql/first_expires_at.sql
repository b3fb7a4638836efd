-- parameters:
-- none
SELECT min(durable_task_executions.asleep_until) AS min_1, CAST(floor(extract(epoch FROM now()) *
  1000) AS BIGINT) AS seen_at
FROM durable_task_executions
WHERE durable_task_executions.asleep_until IS NOT NULL;
