-- parameters:
-- task_ids, executor_id
SELECT min(durable_task_executions.ready_at) AS min_1
FROM durable_task_executions
WHERE @now_ms < durable_task_executions.ready_at AND (durable_task_executions.task_id IN %s) AND
  (EXISTS (SELECT 1
FROM durable_executors
WHERE durable_executors.executor_id = %s AND durable_executors.lease_expires_at > @now_ms));
