-- parameters:
-- task_ids, executor_id, limit
WITH claimed AS
(UPDATE durable_task_executions SET status='running', executor_id=$2,
  fence=(durable_task_executions.fence + 1), started_at=CAST(floor(extract(epoch FROM now()) * 1000)
  AS BIGINT), expires_at=(CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) +
  durable_task_executions.timeout_ms), updated_at=CAST(floor(extract(epoch FROM now()) * 1000) AS
  BIGINT) WHERE ctid = any(array((SELECT picked.ctid
FROM durable_task_executions AS picked
WHERE picked.ready_at <= CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) AND picked.task_id
  = any(CAST($1 AS TEXT[])) AND (EXISTS (SELECT 1
FROM durable_executors
WHERE durable_executors.executor_id = $2 AND durable_executors.lease_expires_at >
  CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) FOR KEY SHARE SKIP LOCKED)) ORDER BY
  picked.ready_at
LIMIT $3 FOR NO KEY UPDATE OF picked SKIP LOCKED))) RETURNING durable_task_executions.execution_id,
  durable_task_executions.task_id, durable_task_executions.root_task_id,
  durable_task_executions.root_execution_id, durable_task_executions.parent_task_id,
  durable_task_executions.parent_execution_id, durable_task_executions.index_in_parent,
  durable_task_executions.is_only_child, durable_task_executions.is_finalize,
  durable_task_executions.sleeping_unique_id, durable_task_executions.idempotency_key,
  durable_task_executions.retry, durable_task_executions.sleep_before_run_ms,
  durable_task_executions.timeout_ms, durable_task_executions.are_children_sequential,
  durable_task_executions.status, durable_task_executions.fence,
  durable_task_executions.executor_id, durable_task_executions.attempt,
  durable_task_executions.crash_count, durable_task_executions.start_at,
  durable_task_executions.created_at, durable_task_executions.updated_at,
  durable_task_executions.started_at, durable_task_executions.expires_at,
  durable_task_executions.waiting_for_children_at, durable_task_executions.waiting_for_finalize_at,
  durable_task_executions.finished_at, durable_task_executions.children_count,
  durable_task_executions.active_children_count, durable_task_executions.tags,
  durable_task_executions.error, durable_task_executions.input, durable_task_executions.run_output,
  durable_task_executions.output, durable_task_executions.traceparent)
SELECT claimed.execution_id, claimed.task_id, claimed.root_task_id, claimed.root_execution_id,
  claimed.parent_task_id, claimed.parent_execution_id, claimed.index_in_parent,
  claimed.is_only_child, claimed.is_finalize, claimed.sleeping_unique_id, claimed.idempotency_key,
  claimed.retry, claimed.sleep_before_run_ms, claimed.timeout_ms, claimed.are_children_sequential,
  claimed.status, claimed.fence, claimed.executor_id, claimed.attempt, claimed.crash_count,
  claimed.start_at, claimed.created_at, claimed.updated_at, claimed.started_at, claimed.expires_at,
  claimed.waiting_for_children_at, claimed.waiting_for_finalize_at, claimed.finished_at,
  claimed.children_count, claimed.active_children_count, claimed.tags, claimed.error, claimed.input,
  claimed.run_output, claimed.output, claimed.traceparent, ahead.next_start_at
FROM (SELECT min(durable_task_executions.ready_at) AS next_start_at
FROM durable_task_executions
WHERE CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) < durable_task_executions.ready_at AND
  durable_task_executions.task_id = any(CAST($1 AS TEXT[])) AND (EXISTS (SELECT 1
FROM durable_executors
WHERE durable_executors.executor_id = $2 AND durable_executors.lease_expires_at >
  CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT)))) AS ahead LEFT OUTER JOIN claimed ON
  true;
