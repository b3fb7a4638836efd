-- parameters:
-- none
SELECT min(durable_task_executions.asleep_until) AS min_1
FROM durable_task_executions
WHERE CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) < durable_task_executions.asleep_until;
