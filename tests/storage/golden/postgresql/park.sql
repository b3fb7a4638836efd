-- parameters:
-- expires_at, expires_at_2, sleeping_unique_id, updated_at, guard_id, guard_status,
-- guard_fence, at_most_active, guard_expires_at
UPDATE durable_task_executions SET expires_at=CASE WHEN (CASE WHEN
  (durable_task_executions.sleeping_unique_id IS NOT NULL) THEN durable_task_executions.expires_at
  ELSE 0 END > given.expires_at) THEN CASE WHEN (durable_task_executions.sleeping_unique_id IS NOT
  NULL) THEN durable_task_executions.expires_at ELSE 0 END ELSE given.expires_at END,
  executor_id=NULL, sleeping_unique_id=given.sleeping_unique_id, updated_at=given.updated_at FROM
  unnest(CAST($1 AS BIGINT[]), CAST($2 AS BIGINT[]), CAST($3 AS TEXT[]), CAST($4 AS BIGINT[]),
  CAST($5 AS TEXT[]), CAST($6 AS TEXT[]), CAST($7 AS BIGINT[]), CAST($8 AS INTEGER[]), CAST($9 AS
  BIGINT[])) AS given(expires_at, expires_at_2, sleeping_unique_id, updated_at, guard_id,
  guard_status, guard_fence, at_most_active, guard_expires_at) WHERE
  durable_task_executions.execution_id = given.guard_id AND durable_task_executions.status =
  given.guard_status AND durable_task_executions.fence = given.guard_fence AND
  durable_task_executions.active_children_count <= given.at_most_active AND
  coalesce(given.guard_expires_at, durable_task_executions.expires_at, 0) =
  coalesce(durable_task_executions.expires_at, 0) RETURNING durable_task_executions.execution_id;
