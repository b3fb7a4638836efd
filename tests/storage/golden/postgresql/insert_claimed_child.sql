-- parameters:
-- task_id, retry, sleep_before_run_ms, timeout_ms, are_children_sequential, root_task_id,
-- root_execution_id, parent_task_id, parent_execution_id, is_only_child, is_finalize,
-- start_at, created_at, executor_id, started_at, kind, execution_id, input, index_in_parent
INSERT INTO durable_task_executions (task_id, retry, sleep_before_run_ms, timeout_ms,
  are_children_sequential, root_task_id, root_execution_id, parent_task_id, parent_execution_id,
  is_only_child, is_finalize, start_at, created_at, execution_id, input, index_in_parent, status,
  fence, executor_id, updated_at, started_at, expires_at, attempt, crash_count, children_count,
  active_children_count) SELECT (CAST($1 AS TEXT[]))[given.kind] AS anon_1, (CAST($2 AS
  TEXT[]))[given.kind] AS anon_2, (CAST($3 AS BIGINT[]))[given.kind] AS anon_3, (CAST($4 AS
  BIGINT[]))[given.kind] AS anon_4, (CAST($5 AS BOOLEAN[]))[given.kind] AS anon_5, (CAST($6 AS
  TEXT[]))[given.kind] AS anon_6, (CAST($7 AS TEXT[]))[given.kind] AS anon_7, (CAST($8 AS
  TEXT[]))[given.kind] AS anon_8, (CAST($9 AS TEXT[]))[given.kind] AS anon_9, (CAST($10 AS
  BOOLEAN[]))[given.kind] AS anon_10, (CAST($11 AS BOOLEAN[]))[given.kind] AS anon_11, (CAST($12 AS
  BIGINT[]))[given.kind] AS anon_12, (CAST($13 AS BIGINT[]))[given.kind] AS anon_13,
  given.execution_id, given.input, given.index_in_parent, 'running', 1, CAST($14 AS TEXT) AS
  anon_14, CAST($15 AS BIGINT) AS anon_15, CAST($15 AS BIGINT) AS anon__1, CAST($15 AS BIGINT) +
  (CAST($4 AS BIGINT[]))[given.kind] AS anon_16, 0, 0, 0, 0
FROM unnest(CAST($16 AS INTEGER[]), CAST($17 AS TEXT[]), CAST($18 AS BYTEA[]), CAST($19 AS
  INTEGER[])) AS given(kind, execution_id, input, index_in_parent)
WHERE EXISTS (SELECT 1
FROM durable_executors
WHERE durable_executors.executor_id = CAST($14 AS TEXT) AND durable_executors.lease_expires_at >
  CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT) FOR KEY SHARE SKIP LOCKED) ON CONFLICT
  (execution_id) DO NOTHING;
