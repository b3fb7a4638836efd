CREATE TABLE durable_task_executions (
    execution_id TEXT COLLATE "C" NOT NULL,
    task_id TEXT COLLATE "C" NOT NULL,
    root_task_id TEXT COLLATE "C",
    root_execution_id TEXT COLLATE "C",
    parent_task_id TEXT COLLATE "C",
    parent_execution_id TEXT COLLATE "C",
    index_in_parent INTEGER NOT NULL,
    is_only_child BOOLEAN NOT NULL,
    is_finalize BOOLEAN NOT NULL,
    sleeping_unique_id TEXT COLLATE "C",
    idempotency_key TEXT COLLATE "C",
    retry TEXT COLLATE "C" NOT NULL,
    sleep_before_run_ms BIGINT NOT NULL,
    timeout_ms BIGINT NOT NULL,
    are_children_sequential BOOLEAN NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    fence BIGINT NOT NULL,
    executor_id TEXT COLLATE "C",
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
    tags TEXT COLLATE "C",
    error TEXT COLLATE "C",
    ready_at BIGINT GENERATED ALWAYS AS (CASE WHEN status = 'ready' THEN start_at END) STORED,
    joinable_at BIGINT GENERATED ALWAYS AS (CASE WHEN status IN ('waiting_for_children', 'waiting_for_finalize') AND active_children_count = 0 THEN waiting_for_children_at END) STORED,
    asleep_until BIGINT GENERATED ALWAYS AS (CASE WHEN status = 'running' AND sleeping_unique_id IS NOT NULL THEN expires_at END) STORED,
    failed_id TEXT COLLATE "C" GENERATED ALWAYS AS (CASE WHEN status IN ('cancelled', 'failed', 'finalize_failed', 'timed_out') THEN execution_id END) STORED,
    input BYTEA NOT NULL,
    run_output BYTEA,
    output BYTEA,
    traceparent TEXT COLLATE "C",
    past_attempts TEXT COLLATE "C",
    past_attempts_count INTEGER,
    PRIMARY KEY (execution_id),
    CONSTRAINT durable_status_fits_fields CHECK (CASE status
WHEN 'ready' THEN finished_at IS NULL AND active_children_count = 0 AND sleeping_unique_id IS NULL
WHEN 'running' THEN finished_at IS NULL AND active_children_count = 0 AND (executor_id IS NOT NULL OR sleeping_unique_id IS NOT NULL)
WHEN 'waiting_for_children' THEN finished_at IS NULL AND active_children_count >= 0
WHEN 'waiting_for_finalize' THEN finished_at IS NULL AND active_children_count >= 0
WHEN 'completed' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NULL
WHEN 'failed' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
WHEN 'timed_out' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
WHEN 'finalize_failed' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
WHEN 'cancelled' THEN finished_at IS NOT NULL AND active_children_count = 0 AND error IS NOT NULL
ELSE 1 = 0 END)
)
 WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE durable_task_execution_tags (
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    execution_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (name, value, execution_id)
);

CREATE TABLE durable_task_execution_progress (
    execution_id TEXT COLLATE "C" NOT NULL,
    fence BIGINT NOT NULL,
    number BIGINT NOT NULL,
    fraction DOUBLE PRECISION NOT NULL,
    message TEXT COLLATE "C",
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (execution_id)
);

CREATE TABLE durable_executors (
    executor_id TEXT COLLATE "C" NOT NULL,
    lease_expires_at BIGINT NOT NULL,
    task_ids TEXT COLLATE "C",
    started_at BIGINT,
    beat_at BIGINT,
    held_count INTEGER,
    ended_count BIGINT,
    PRIMARY KEY (executor_id)
);

CREATE INDEX durable_ready ON durable_task_executions (ready_at, task_id) WHERE ready_at IS NOT NULL;

CREATE INDEX durable_joinable ON durable_task_executions (joinable_at, task_id) WHERE joinable_at IS NOT NULL;

CREATE INDEX durable_sleeping ON durable_task_executions (asleep_until) WHERE asleep_until IS NOT NULL;

CREATE INDEX durable_children ON durable_task_executions (parent_execution_id, is_finalize, index_in_parent) WHERE parent_execution_id IS NOT NULL;

CREATE UNIQUE INDEX durable_sleeping_unique_id ON durable_task_executions (sleeping_unique_id) WHERE sleeping_unique_id IS NOT NULL;

CREATE UNIQUE INDEX durable_idempotency_key ON durable_task_executions (task_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE INDEX durable_by_task ON durable_task_executions (task_id, execution_id) WHERE index_in_parent >= 0;

CREATE INDEX durable_failed ON durable_task_executions (failed_id) WHERE failed_id IS NOT NULL;

CREATE OR REPLACE FUNCTION durable_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('durable_execution_' || TG_RELID, '');
    RETURN NULL;
END
$$;

CREATE TRIGGER durable_notify AFTER INSERT OR UPDATE OF start_at, finished_at
ON durable_task_executions FOR EACH STATEMENT EXECUTE FUNCTION durable_notify();
