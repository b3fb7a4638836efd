-- parameters:
-- values of all rows
UPDATE JSON_TABLE(%s, '$[*]' COLUMNS (v0 VARCHAR(256) CHARACTER SET utf8mb4 PATH '$[0]', v1 LONGTEXT
  CHARACTER SET utf8mb4 PATH '$[1]', v2 LONGTEXT CHARACTER SET utf8mb4 PATH '$[2]', v3 BIGINT PATH
  '$[3]', v4 BIGINT PATH '$[4]', v5 VARCHAR(256) CHARACTER SET utf8mb4 PATH '$[5]', v6 VARCHAR(256)
  CHARACTER SET utf8mb4 PATH '$[6]', v7 BIGINT PATH '$[7]', v8 BIGINT PATH '$[8]', v9 BIGINT PATH
  '$[9]', v10 BIGINT PATH '$[10]')) AS given STRAIGHT_JOIN durable_task_executions SET
  status=given.v0, output=given.v1, error=given.v2, finished_at=given.v3, updated_at=given.v4,
  active_children_count=0 WHERE durable_task_executions.execution_id = given.v5 AND
  durable_task_executions.status = given.v6 AND durable_task_executions.fence = given.v7 +
  coalesce(durable_task_executions.children_count - given.v8, 0) AND
  durable_task_executions.active_children_count <= given.v9 AND coalesce(given.v10,
  durable_task_executions.expires_at, 0) = coalesce(durable_task_executions.expires_at, 0);
