CREATE TABLE IF NOT EXISTS durable_task_executions (
    execution_id VARBINARY(256) NOT NULL,
    task_id VARBINARY(1020) NOT NULL,
    root_task_id VARBINARY(1020),
    root_execution_id VARBINARY(256),
    parent_task_id VARBINARY(1020),
    parent_execution_id VARBINARY(256),
    index_in_parent INTEGER NOT NULL,
    is_only_child BOOL NOT NULL,
    is_finalize BOOL NOT NULL,
    sleeping_unique_id VARBINARY(1020),
    idempotency_key VARBINARY(1020),
    retry LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    sleep_before_run_ms BIGINT NOT NULL,
    timeout_ms BIGINT NOT NULL,
    are_children_sequential BOOL NOT NULL,
    status VARBINARY(128) NOT NULL,
    fence BIGINT NOT NULL,
    executor_id VARBINARY(1020),
    attempt INTEGER NOT NULL,
    crash_count INTEGER NOT NULL,
    start_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    started_at BIGINT,
    expires_at BIGINT,
    waiting_for_children_at BIGINT,
    waiting_for_finalize_at BIGINT,
    finished_at BIGINT,
    children_count INTEGER NOT NULL,
    active_children_count INTEGER NOT NULL,
    tags LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    error LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    ready_at BIGINT GENERATED ALWAYS AS (CASE WHEN status = 'ready' THEN start_at END) STORED,
    joinable_at BIGINT GENERATED ALWAYS AS (CASE WHEN status IN ('waiting_for_children', 'waiting_for_finalize') AND active_children_count = 0 THEN waiting_for_children_at END) STORED,
    asleep_until BIGINT GENERATED ALWAYS AS (CASE WHEN status = 'running' AND sleeping_unique_id IS NOT NULL THEN expires_at END) STORED,
    failed_id VARBINARY(256) GENERATED ALWAYS AS (CASE WHEN status IN ('cancelled', 'failed', 'finalize_failed', 'timed_out') THEN execution_id END) STORED,
    input LONGBLOB NOT NULL,
    run_output LONGBLOB,
    output LONGBLOB,
    traceparent VARBINARY(568),
    past_attempts LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    past_attempts_count INTEGER,
    PRIMARY KEY (execution_id),
    CONSTRAINT durable_status_fits_fields CHECK ((CASE status
WHEN 'ready' THEN finished_at IS NULL AND active_children_count = 0 AND sleeping_unique_id IS NULL
WHEN 'running' THEN finished_at IS NULL AND active_children_count = 0 AND (executor_id IS NOT NULL OR sleeping_unique_id IS NOT NULL)
WHEN 'waiting_for_children' THEN finished_at IS NULL AND active_children_count >= 0
WHEN 'waiting_for_finalize' THEN finished_at IS NULL AND active_children_count >= 0
WHEN 'completed' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NULL
WHEN 'failed' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
WHEN 'timed_out' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
WHEN 'finalize_failed' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
WHEN 'cancelled' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
ELSE 1 = 0 END) = 1),
    CONSTRAINT durable_sleeping_id_is_free CHECK (fence >= 0),
    UNIQUE KEY durable_idempotency_key (task_id, idempotency_key),
    UNIQUE KEY durable_sleeping_unique_id (sleeping_unique_id),
    KEY durable_by_task (task_id, execution_id),
    KEY durable_children (parent_execution_id, is_finalize, index_in_parent),
    KEY durable_failed (failed_id),
    KEY durable_joinable (joinable_at, task_id),
    KEY durable_ready (ready_at, task_id),
    KEY durable_sleeping (asleep_until)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 ROW_FORMAT=DYNAMIC;

CREATE TABLE IF NOT EXISTS durable_task_execution_tags (
    name VARBINARY(256) NOT NULL,
    value VARBINARY(1020) NOT NULL,
    execution_id VARBINARY(256) NOT NULL,
    PRIMARY KEY (name, value, execution_id)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 ROW_FORMAT=DYNAMIC;

CREATE TABLE IF NOT EXISTS durable_task_execution_progress (
    execution_id VARBINARY(256) NOT NULL,
    fence BIGINT NOT NULL,
    number BIGINT NOT NULL,
    fraction DOUBLE NOT NULL,
    message LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (execution_id)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 ROW_FORMAT=DYNAMIC;

CREATE TABLE IF NOT EXISTS durable_executors (
    executor_id VARBINARY(1020) NOT NULL,
    lease_expires_at BIGINT NOT NULL,
    task_ids LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    started_at BIGINT,
    beat_at BIGINT,
    held_count INTEGER,
    ended_count BIGINT,
    PRIMARY KEY (executor_id)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 ROW_FORMAT=DYNAMIC;
