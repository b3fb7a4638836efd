import type { AsyncIteratorClass, Client, ClientContext, ClientPromiseResult, FriendlyClientOptions } from '@orpc/client'

/** The name by which clients call a task. */
export type TaskId = keyof TaskTypes
/** The name of a task that sleeps until it is woken up. */
export type SleepingTaskId = { [K in TaskId]: TaskTypes[K]['sleeping'] extends false ? never : K }[TaskId]
export type TaskInput<K extends TaskId> = TaskTypes[K]['input']
export type TaskOutput<K extends TaskId> = TaskTypes[K]['output']

/** The types of one task, for the eyes of the compiler alone. */
export type TaskType<TInput, TOutput, TSleeping extends boolean = boolean> = {
  readonly input?: (input: TInput) => void
  readonly output?: TOutput
  readonly sleeping?: TSleeping
}
export type Tasks = { readonly [K in TaskId]: TaskType<TaskInput<K>, TaskOutput<K>, TaskTypes[K]['sleeping']> }

export type RetryOptions = {
  /** How often a failed attempt is repeated. */
  maxAttempts: number
  baseDelayMs?: number | undefined
  delayMultiplier?: number | undefined
  maxDelayMs?: number | undefined
}

export type EnqueueOptions = {
  retryOptions?: RetryOptions | undefined
  sleepMsBeforeRun?: number | undefined
  timeoutMs?: number | undefined
  /** A task that is enqueued again with the same key is not executed again. */
  idempotencyKey?: string | undefined
  /** What to find the execution by, where the server allows it. */
  tags?: Record<string, string> | undefined
}

export type WakeupOptions<TOutput = unknown> =
  | { status: 'completed'; output: TOutput }
  | { status: 'failed'; error?: unknown }

export type TaskExecutionSummary = { taskId: string; executionId: string }

export type ParentTaskExecutionSummary = TaskExecutionSummary & {
  indexInParentChildren: number
  isOnlyChildOfParent: boolean
  isFinalizeOfParent: boolean
}

export type TaskExecutionError = {
  errorType: 'generic' | 'not_found' | 'timed_out' | 'cancelled'
  message: string
  isRetryable: boolean
  isInternal: boolean
}

/** An attempt that has ended, after which another one followed. */
export type PastAttempt = {
  retryAttempts: number
  outcome: 'failed' | 'timed_out' | 'cancelled' | 'crashed' | 'handed_back'
  startedAt: Date
  endedAt: Date
  executorId?: string
  error?: TaskExecutionError
}

type Base<TStatus extends string> = {
  root?: TaskExecutionSummary
  parent?: ParentTaskExecutionSummary
  taskId: string
  executionId: string
  sleepingTaskUniqueId?: string
  areChildrenSequential: boolean
  retryOptions: RetryOptions
  sleepMsBeforeRun: number
  timeoutMs: number
  status: TStatus
  retryAttempts: number
  startAt: Date
  createdAt: Date
  updatedAt: Date
  /** The attempts before the last one, as far as they are kept; a Python server tells them. */
  pastAttempts?: PastAttempt[]
  pastAttemptsCount?: number
}
type Started = { startedAt: Date; expiresAt: Date }
type Family = {
  waitingForChildrenStartedAt: Date
  children: TaskExecutionSummary[]
  activeChildrenCount: number
}
type Finalizing = { waitingForFinalizeStartedAt: Date; finalize: TaskExecutionSummary }
type Errored = { error: TaskExecutionError; finishedAt: Date }

type Finished =
  | (Base<'completed'> & Started & Partial<Family & Finalizing> & { finishedAt: Date })
  | (Base<'failed'> & Started & Errored)
  | (Base<'timed_out'> & Started & Errored)
  | (Base<'finalize_failed'> & Started & Partial<Family & Finalizing> & Errored)
  | (Base<'cancelled'> & Partial<Started & Family & Finalizing> & Errored & { executorId?: string })

type View =
  | (Base<'ready'> & { error?: TaskExecutionError })
  | (Base<'running'> & Started & { executorId?: string; error?: TaskExecutionError })
  | (Base<'waiting_for_children'> & Started & Family)
  | (Base<'waiting_for_finalize'> & Started & Family & Finalizing)
  | Finished

type Listed<TExecution> = TExecution extends unknown
  ? Omit<TExecution, 'children' | 'finalize' | 'pastAttempts' | 'pastAttemptsCount'>
  : never

/** An execution of a list: without its input, its output and its children. */
export type ListedTaskExecution = Listed<View> & {
  idempotencyKey?: string
  tags?: Record<string, string>
  childrenCount: number
  activeChildrenCount: number
}

type WithPayloads<TExecution, TInput, TOutput> =
  | (Exclude<TExecution, { status: 'completed' }> & { input: TInput })
  | (Extract<TExecution, { status: 'completed' }> & { input: TInput; output: TOutput })

/** An execution that will never change again; `status` says how it ended. */
export type FinishedTaskExecution<TOutput = unknown, TInput = unknown> = WithPayloads<Finished, TInput, TOutput>

/** An execution as it is now; `status` tells which fields it has. */
export type TaskExecution<TOutput = unknown, TInput = unknown> = WithPayloads<View, TInput, TOutput>

export type TaskExecutionStatus = View['status']

export type TaskExecutionProgress = { fraction: number; message?: string; updatedAt: Date }

/** What became of an execution since the event before. */
export type TaskExecutionEvent<TOutput = unknown, TInput = unknown> =
  | { type: 'status'; execution: TaskExecution<TOutput, TInput> }
  | { type: 'progress'; progress: TaskExecutionProgress }

export type TaskExecutionEvents<TOutput = unknown, TInput = unknown> = AsyncIteratorClass<
  TaskExecutionEvent<TOutput, TInput>,
  FinishedTaskExecution<TOutput, TInput>,
  void
>

export type TaskExecutionsFilter = {
  statuses?: TaskExecutionStatus[] | undefined
  createdFrom?: Date | undefined
  createdBefore?: Date | undefined
  finishedFrom?: Date | undefined
  finishedBefore?: Date | undefined
  parentExecutionId?: string | undefined
  rootExecutionId?: string | undefined
  isRoot?: boolean | undefined
  tags?: Record<string, string> | undefined
  /** How its id begins. */
  idPrefix?: string | undefined
  order?: 'newest_first' | 'oldest_first' | undefined
  /** `nextCursor` of the page before, with all else as it was. */
  cursor?: string | undefined
  limit?: number | undefined
}

export type TaskExecutionsPage = { executions: ListedTaskExecution[]; nextCursor?: string }

/** The input of `enqueueTask`; an input that may be undefined may be left out. */
export type EnqueueTaskInput<K extends TaskId = TaskId> = {
  [T in K]: { taskId: T; options?: EnqueueOptions | undefined } & (undefined extends TaskInput<T>
    ? { input?: TaskInput<T> }
    : { input: TaskInput<T> })
}[K]

type ExecutionOf<K extends TaskId> = { taskId: K; executionId: string }
type WakeupOf<K extends TaskId> = {
  [T in K]: { taskId: T; sleepingTaskUniqueId: string; options: WakeupOptions<TaskOutput<T>> }
}[K]
type ViewOf<K extends TaskId> = { [T in K]: TaskExecution<TaskOutput<T>, TaskInput<T>> }[K]
type FinishedOf<K extends TaskId> = { [T in K]: FinishedTaskExecution<TaskOutput<T>, TaskInput<T>> }[K]
type EventsOf<K extends TaskId> = { [T in K]: TaskExecutionEvents<TaskOutput<T>, TaskInput<T>> }[K]

type CallOptions<TContext extends ClientContext> =
  Record<never, never> extends TContext
    ? [options?: FriendlyClientOptions<TContext>]
    : [options: FriendlyClientOptions<TContext>]

/** The procedures of the server's tasks router: a client of it, typed for each task by its `taskId`. */
export type TasksRouterClient<TContext extends ClientContext = Record<never, never>> = {
  enqueueTask: Client<TContext, EnqueueTaskInput, string, Error>
  enqueueTasks: Client<TContext, { tasks: EnqueueTaskInput[] }, string[], Error>
  getTaskExecution: (<K extends TaskId>(
    input: ExecutionOf<K>,
    ...options: CallOptions<TContext>
  ) => ClientPromiseResult<ViewOf<K>, Error>) &
    Client<TContext, ExecutionOf<TaskId>, ViewOf<TaskId>, Error>
  waitTaskExecution: (<K extends TaskId>(
    input: ExecutionOf<K> & { timeoutMs?: number | undefined },
    ...options: CallOptions<TContext>
  ) => ClientPromiseResult<ViewOf<K>, Error>) &
    Client<TContext, ExecutionOf<TaskId> & { timeoutMs?: number | undefined }, ViewOf<TaskId>, Error>
  watchTaskExecution: (<K extends TaskId>(
    input: ExecutionOf<K>,
    ...options: CallOptions<TContext>
  ) => ClientPromiseResult<EventsOf<K>, Error>) &
    Client<TContext, ExecutionOf<TaskId>, EventsOf<TaskId>, Error>
  cancelTaskExecution: (<K extends TaskId>(
    input: ExecutionOf<K>,
    ...options: CallOptions<TContext>
  ) => ClientPromiseResult<FinishedOf<K>, Error>) &
    Client<TContext, ExecutionOf<TaskId>, FinishedOf<TaskId>, Error>
  listTaskExecutions: Client<
    TContext,
    (TaskExecutionsFilter & { taskIds?: TaskId[] | undefined }) | undefined,
    TaskExecutionsPage,
    Error
  >
  wakeupSleepingTaskExecution: (<K extends SleepingTaskId>(
    input: WakeupOf<K>,
    ...options: CallOptions<TContext>
  ) => ClientPromiseResult<FinishedOf<K>, Error>) &
    Client<TContext, WakeupOf<SleepingTaskId>, FinishedOf<SleepingTaskId>, Error>
} & CallbacksRouterClient<TContext>

/** What an app answers with for attempts that were handed over to it, by the token that came with each. */
export type CallbacksRouterClient<TContext extends ClientContext = Record<never, never>> = {
  completeTask: Client<TContext, { token: string; output?: unknown }, AnsweredTask, Error>
  failTask: Client<
    TContext,
    { token: string; error?: unknown; isRetryable?: boolean | undefined },
    AnsweredTask,
    Error
  >
  heartbeatTask: Client<
    TContext,
    { token: string; progress?: { fraction: number; message?: string | undefined } | undefined },
    { expiresAt: Date },
    Error
  >
}

export type AnsweredTask = { executionId: string; status: TaskExecutionStatus }

type Bare<TExecution> = TExecution extends unknown
  ? Omit<TExecution, 'children' | 'finalize' | 'error' | 'executorId' | 'pastAttempts'>
  : never

/** An error with what only operators see: where it was raised, and why. */
export type OperatedTaskExecutionError = TaskExecutionError & { traceback?: string; cause?: string }

/** An execution of any task as operators see it; what is out of their reach is missing. */
export type OperatedTaskExecution = Bare<View> & {
  input?: unknown
  output?: unknown
  error?: OperatedTaskExecutionError
  executorId?: string
  pastAttempts?: (Omit<PastAttempt, 'error'> & { error?: OperatedTaskExecutionError })[]
  /** Times it was taken from a dead executor. */
  crashCount?: number
  idempotencyKey?: string
  tags?: Record<string, string>
  childrenCount: number
  activeChildrenCount: number
}

/** Parents come before their children, which name them in `parent`. */
export type TaskExecutionTree = {
  executions: (OperatedTaskExecution & {
    /** Children that are not shown, because there are too many. */
    leftOut?: number
    /** Input, output and traceback are not shown, because all together are too large. */
    payloadsLeftOut?: true
  })[]
}

export type ExecutorStats = {
  at: Date
  since: Date
  /** Where a number is as high as this, there may be more. */
  countedAtMost: number
  tasks: Record<
    string,
    {
      ready: number
      oldestStartAt?: Date
      failed: { [K in TaskExecutionStatus]?: number }
      /** Whether some executor that lives runs the task. */
      isKnown: boolean
    }
  >
  ready: number
  sleeping: number
  enqueued: number
  finished: number
  executors: {
    executorId: string
    isAlive: boolean
    leaseExpiresAt?: Date
    taskIds?: string[]
    startedAt?: Date
    beatAt?: Date
    runningCount?: number
    endedCount?: number
  }[]
}

/** What operators call, where the server has a router for them. Each may be called again when an answer got lost. */
export type OperatorsRouterClient<TContext extends ClientContext = Record<never, never>> = {
  /** Runs again what failed; the execution keeps its id. */
  retryTaskExecution: Client<
    TContext,
    { taskId?: TaskId | undefined; executionId: string },
    OperatedTaskExecution & { children?: TaskExecutionSummary[]; finalize?: TaskExecutionSummary },
    Error
  >
  getTaskExecutionTree: Client<
    TContext,
    { taskId?: TaskId | undefined; executionId: string; limit?: number | undefined },
    TaskExecutionTree,
    Error
  >
  getExecutorStats: Client<TContext, { latelyMs?: number | undefined } | undefined, ExecutorStats, Error>
  /** Deletes what finished so long ago; call it until `isDone`. */
  pruneTaskExecutions: Client<
    TContext,
    { olderThanMs: number; limit?: number | undefined },
    { deleted: number; isDone: boolean },
    Error
  >
}

/** What `result` rejects with: the execution has ended, and not with an output. */
export class TaskExecutionFailedError extends Error {
  readonly execution: Exclude<FinishedTaskExecution, { status: 'completed' }>

  constructor(execution: Exclude<FinishedTaskExecution, { status: 'completed' }>) {
    super(execution.error.message)
    this.name = 'TaskExecutionFailedError'
    this.execution = execution
  }
}

export type TaskClientHandle<TInput, TOutput, TSleeping extends boolean = boolean> = {
  /** Hands work to the server; once this resolves, it will be done. */
  enqueue(
    ...args: undefined extends TInput
      ? [input?: TInput, options?: EnqueueOptions]
      : [input: TInput, options?: EnqueueOptions]
  ): Promise<string>
  /** Enqueues all of them at once, or none. */
  enqueueMany(
    tasks: ReadonlyArray<
      { options?: EnqueueOptions | undefined } & (undefined extends TInput ? { input?: TInput } : { input: TInput })
    >,
  ): Promise<string[]>
  getExecution(executionId: string): Promise<TaskExecution<TOutput, TInput>>
  /** Resolves with the output once the execution has completed, however long that takes. */
  result(executionId: string, options?: { signal?: AbortSignal }): Promise<TOutput>
  /** Resolves once the execution has finished, or with what it is after `timeoutMs`: 30 s, 60 s at most. */
  wait(
    executionId: string,
    options?: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<TaskExecution<TOutput, TInput>>
  /** Tells changes as they happen, and returns the finished execution. */
  watch(
    executionId: string,
    options?: { lastEventId?: string; signal?: AbortSignal },
  ): Promise<TaskExecutionEvents<TOutput, TInput>>
  cancel(executionId: string): Promise<FinishedTaskExecution<TOutput, TInput>>
  list(filter?: TaskExecutionsFilter): Promise<TaskExecutionsPage>
} & (TSleeping extends false
  ? unknown
  : {
      /** Ends a sleeping execution. The first call wins; later ones get its result. */
      wakeup(
        sleepingTaskUniqueId: string,
        options: WakeupOptions<TOutput>,
      ): Promise<FinishedTaskExecution<TOutput, TInput>>
    })

export type InferTaskClientHandles<TTasks> = {
  [K in keyof TTasks]: TTasks[K] extends TaskType<infer TInput, infer TOutput, infer TSleeping>
    ? TaskClientHandle<TInput, TOutput, TSleeping>
    : never
}

/** Makes a handle for each task: all of `tasks`, or some. */
export function createTaskClientHandles<TTasks extends Partial<Tasks>>(
  client: TasksRouterClient,
  tasks: TTasks,
): InferTaskClientHandles<TTasks> {
  const handles = Object.keys(tasks).map((taskId) => [taskId, handleOf(client as UntypedClient, taskId)])
  return Object.fromEntries(handles) as InferTaskClientHandles<TTasks>
}

type UntypedClient = Record<string, (input: unknown, options?: object) => Promise<any>>

function handleOf(client: UntypedClient, taskId: string) {
  const call = (procedure: string, input: object, options?: object) => client[procedure]!({ taskId, ...input }, options)
  return {
    enqueue: (input?: unknown, options?: EnqueueOptions) =>
      call('enqueueTask', options ? { input, options } : { input }),
    enqueueMany: (tasks: object[]) =>
      client.enqueueTasks!({ tasks: tasks.map((task) => ({ taskId, ...task })) }),
    getExecution: (executionId: string) => call('getTaskExecution', { executionId }),
    wait: (executionId: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}) => {
      const { timeoutMs, ...callOptions } = options
      return call('waitTaskExecution', { executionId, timeoutMs }, callOptions)
    },
    result: async (executionId: string, options?: { signal?: AbortSignal }) => {
      for (;;) {
        const execution = await call('waitTaskExecution', { executionId }, options)
        if (execution.status === 'completed') return execution.output
        if (execution.finishedAt !== undefined) throw new TaskExecutionFailedError(execution)
      }
    },
    watch: (executionId: string, options?: { lastEventId?: string; signal?: AbortSignal }) =>
      call('watchTaskExecution', { executionId }, options),
    cancel: (executionId: string) => call('cancelTaskExecution', { executionId }),
    list: (filter?: TaskExecutionsFilter) => client.listTaskExecutions!({ ...filter, taskIds: [taskId] }),
    wakeup: (sleepingTaskUniqueId: string, options: WakeupOptions) =>
      call('wakeupSleepingTaskExecution', { sleepingTaskUniqueId, options }),
  }
}
