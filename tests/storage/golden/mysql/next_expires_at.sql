-- parameters:
-- none
SELECT min(durable_task_executions.asleep_until) AS min_1
FROM durable_task_executions
WHERE @now_ms < durable_task_executions.asleep_until;
