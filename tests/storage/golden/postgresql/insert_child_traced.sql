-- parameters:
-- task_id, retry, sleep_before_run_ms, timeout_ms, are_children_sequential, root_task_id,
-- root_execution_id, parent_task_id, parent_execution_id, is_only_child, is_finalize,
-- start_at, created_at, traceparent, kind, execution_id, input, index_in_parent
INSERT INTO durable_task_executions (task_id, retry, sleep_before_run_ms, timeout_ms,
  are_children_sequential, root_task_id, root_execution_id, parent_task_id, parent_execution_id,
  is_only_child, is_finalize, start_at, created_at, traceparent, execution_id, input,
  index_in_parent, updated_at, status, fence, attempt, crash_count, children_count,
  active_children_count) SELECT (CAST($1 AS TEXT[]))[given.kind] AS anon_1, (CAST($2 AS
  TEXT[]))[given.kind] AS anon_2, (CAST($3 AS BIGINT[]))[given.kind] AS anon_3, (CAST($4 AS
  BIGINT[]))[given.kind] AS anon_4, (CAST($5 AS BOOLEAN[]))[given.kind] AS anon_5, (CAST($6 AS
  TEXT[]))[given.kind] AS anon_6, (CAST($7 AS TEXT[]))[given.kind] AS anon_7, (CAST($8 AS
  TEXT[]))[given.kind] AS anon_8, (CAST($9 AS TEXT[]))[given.kind] AS anon_9, (CAST($10 AS
  BOOLEAN[]))[given.kind] AS anon_10, (CAST($11 AS BOOLEAN[]))[given.kind] AS anon_11, (CAST($12 AS
  BIGINT[]))[given.kind] AS anon_12, (CAST($13 AS BIGINT[]))[given.kind] AS anon_13, (CAST($14 AS
  TEXT[]))[given.kind] AS anon_14, given.execution_id, given.input, given.index_in_parent, (CAST($13
  AS BIGINT[]))[given.kind] AS anon__1, 'ready', 0, 0, 0, 0, 0
FROM unnest(CAST($15 AS INTEGER[]), CAST($16 AS TEXT[]), CAST($17 AS BYTEA[]), CAST($18 AS
  INTEGER[])) AS given(kind, execution_id, input, index_in_parent) ON CONFLICT (execution_id) DO
  NOTHING;
