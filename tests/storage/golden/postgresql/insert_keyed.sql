-- parameters:
-- execution_id, task_id, root_task_id, root_execution_id, parent_task_id,
-- parent_execution_id, index_in_parent, is_only_child, is_finalize, sleeping_unique_id,
-- idempotency_key, retry, sleep_before_run_ms, timeout_ms, are_children_sequential, status,
-- fence, executor_id, attempt, crash_count, start_at, created_at, updated_at, started_at,
-- expires_at, waiting_for_children_at, waiting_for_finalize_at, finished_at, children_count,
-- active_children_count, tags, error, input, run_output, output, traceparent
INSERT INTO durable_task_executions (execution_id, task_id, root_task_id, root_execution_id,
  parent_task_id, parent_execution_id, index_in_parent, is_only_child, is_finalize,
  sleeping_unique_id, idempotency_key, retry, sleep_before_run_ms, timeout_ms,
  are_children_sequential, status, fence, executor_id, attempt, crash_count, start_at, created_at,
  updated_at, started_at, expires_at, waiting_for_children_at, waiting_for_finalize_at, finished_at,
  children_count, active_children_count, tags, error, input, run_output, output, traceparent) SELECT
  given.execution_id, given.task_id, given.root_task_id, given.root_execution_id,
  given.parent_task_id, given.parent_execution_id, given.index_in_parent, given.is_only_child,
  given.is_finalize, given.sleeping_unique_id, given.idempotency_key, given.retry,
  given.sleep_before_run_ms, given.timeout_ms, given.are_children_sequential, given.status,
  given.fence, given.executor_id, given.attempt, given.crash_count, given.start_at,
  given.created_at, given.updated_at, given.started_at, given.expires_at,
  given.waiting_for_children_at, given.waiting_for_finalize_at, given.finished_at,
  given.children_count, given.active_children_count, given.tags, given.error, given.input,
  given.run_output, given.output, given.traceparent
FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[]), CAST($3 AS TEXT[]), CAST($4 AS TEXT[]), CAST($5
  AS TEXT[]), CAST($6 AS TEXT[]), CAST($7 AS INTEGER[]), CAST($8 AS BOOLEAN[]), CAST($9 AS
  BOOLEAN[]), CAST($10 AS TEXT[]), CAST($11 AS TEXT[]), CAST($12 AS TEXT[]), CAST($13 AS BIGINT[]),
  CAST($14 AS BIGINT[]), CAST($15 AS BOOLEAN[]), CAST($16 AS TEXT[]), CAST($17 AS BIGINT[]),
  CAST($18 AS TEXT[]), CAST($19 AS INTEGER[]), CAST($20 AS INTEGER[]), CAST($21 AS BIGINT[]),
  CAST($22 AS BIGINT[]), CAST($23 AS BIGINT[]), CAST($24 AS BIGINT[]), CAST($25 AS BIGINT[]),
  CAST($26 AS BIGINT[]), CAST($27 AS BIGINT[]), CAST($28 AS BIGINT[]), CAST($29 AS INTEGER[]),
  CAST($30 AS INTEGER[]), CAST($31 AS TEXT[]), CAST($32 AS TEXT[]), CAST($33 AS BYTEA[]), CAST($34
  AS BYTEA[]), CAST($35 AS BYTEA[]), CAST($36 AS TEXT[])) AS given(execution_id, task_id,
  root_task_id, root_execution_id, parent_task_id, parent_execution_id, index_in_parent,
  is_only_child, is_finalize, sleeping_unique_id, idempotency_key, retry, sleep_before_run_ms,
  timeout_ms, are_children_sequential, status, fence, executor_id, attempt, crash_count, start_at,
  created_at, updated_at, started_at, expires_at, waiting_for_children_at, waiting_for_finalize_at,
  finished_at, children_count, active_children_count, tags, error, input, run_output, output,
  traceparent)
WHERE NOT (EXISTS (SELECT *
FROM durable_task_executions
WHERE durable_task_executions.execution_id = given.execution_id)) ON CONFLICT (task_id,
  idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING;
