-- parameters:
-- at, parent_id, finished
UPDATE durable_task_executions SET active_children_count=CASE WHEN
  (durable_task_executions.active_children_count > given.finished) THEN
  durable_task_executions.active_children_count - given.finished ELSE 0 END, updated_at=given.at
  FROM unnest(CAST($1 AS BIGINT[]), CAST($2 AS TEXT[]), CAST($3 AS BIGINT[])) AS given(at,
  parent_id, finished) WHERE durable_task_executions.execution_id = given.parent_id AND status IN
  ('waiting_for_children', 'waiting_for_finalize');
