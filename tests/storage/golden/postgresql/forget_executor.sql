-- parameters:
-- who, lease
DELETE FROM durable_executors USING unnest(CAST($1 AS TEXT[]), CAST($2 AS BIGINT[])) AS given(who,
  lease) WHERE durable_executors.executor_id = given.who AND durable_executors.lease_expires_at =
  given.lease AND NOT (EXISTS (SELECT *
FROM durable_task_executions
WHERE status = 'running' AND sleeping_unique_id IS NULL AND durable_task_executions.executor_id =
  durable_executors.executor_id));
