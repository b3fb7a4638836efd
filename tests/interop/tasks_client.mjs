// The client code of the TypeScript example under one version of @orpc/client; prints the outcomes as JSON.
// usage: node tasks_client.mjs <package> <url> <compiled tasks.gen>
import assert from 'node:assert/strict'

const [packageName, url, handlesUrl] = process.argv.slice(2)
const { createORPCClient, ORPCError } = await import(packageName)
const { RPCLink } = await import(`${packageName}/fetch`)
const { createTaskClientHandles } = await import(handlesUrl)

const names = ['sendEmail', 'echo', 'broken', 'family', 'orphanage', 'held', 'approval', 'nobody']
const tasks = Object.fromEntries(names.map((name) => [name, {}]))
const clientWith = (token) =>
  createORPCClient(new RPCLink({ url, headers: { authorization: `Bearer ${token}` } }))
const client = clientWith('ada')
const handles = createTaskClientHandles(client, tasks)
const run = Date.now() // sleeping ids are unique for ever, and several clients use one server

const scenarios = {
  seedExample: async () => {
    const sendAt = new Date('2024-02-29T12:34:56.789Z')
    const executionId = await handles.sendEmail.enqueue({ to: 'ada', send_at: sendAt, tags: new Set(['a']) })
    assert.match(executionId, /^te_/)
    const execution = await finished(handles.sendEmail, executionId)
    assert.ok(execution.output.at instanceof Date)
    assert.ok(execution.input.tags instanceof Set)
    assert.equal(execution.output.at.getTime(), sendAt.getTime())
    for (const name of ['startAt', 'startedAt', 'expiresAt', 'finishedAt', 'createdAt', 'updatedAt']) {
      assert.ok(execution[name] instanceof Date, name)
      assert.ok(Math.abs(execution[name].getTime() - Date.now()) < 3_600_000, name)
    }
    return { keys: Object.keys(execution).sort(), status: execution.status, output: execution.output.message_id }
  },
  richValues: async () => {
    const value = {
      bigint: 12345678901234567890n,
      date: new Date(0),
      set: new Set([1, new Set([2n])]),
      map: new Map([['k', new Map([[1, undefined]])]]),
      list: [undefined, null, Number.NaN],
      url: new URL('https://a.example/b'),
    }
    const execution = await finished(handles.echo, await handles.echo.enqueue(value))
    assert.deepStrictEqual(execution.output, value)
    assert.deepStrictEqual(execution.input, value)
    return 'same'
  },
  undefinedInput: async () => {
    const execution = await finished(handles.echo, await handles.echo.enqueue())
    return [execution.status, execution.output === undefined, 'output' in execution]
  },
  options: async () => {
    const options = {
      timeoutMs: 1500,
      sleepMsBeforeRun: 1,
      retryOptions: { maxAttempts: 2, baseDelayMs: 1, delayMultiplier: 1.5, maxDelayMs: 10 },
    }
    const execution = await finished(handles.broken, await handles.broken.enqueue(undefined, options))
    const { timeoutMs, sleepMsBeforeRun, retryOptions, retryAttempts, status, error } = execution
    assert.deepStrictEqual({ timeoutMs, sleepMsBeforeRun, retryOptions }, options)
    return { retryAttempts, status, error }
  },
  parent: async () => {
    const executionId = await handles.family.enqueue(2)
    const execution = await finished(handles.family, executionId)
    const child = await handles.echo.getExecution(execution.children[1].executionId)
    assert.deepStrictEqual(child.parent, {
      taskId: 'family',
      executionId,
      indexInParentChildren: 1,
      isOnlyChildOfParent: false,
      isFinalizeOfParent: false,
    })
    assert.deepStrictEqual(child.root, { taskId: 'family', executionId })
    assert.ok(execution.waitingForFinalizeStartedAt instanceof Date)
    return {
      output: execution.output,
      children: execution.children.map(({ taskId }) => taskId),
      activeChildrenCount: execution.activeChildrenCount,
      finalize: execution.finalize.taskId,
    }
  },
  finalizeFailed: async () => {
    const execution = await finished(handles.orphanage, await handles.orphanage.enqueue())
    return [execution.status, execution.error.message]
  },
  wakeup: async () => {
    const executionId = await handles.approval.enqueue(`order ${run}`)
    const sleeping = await handles.approval.getExecution(executionId)
    const woken = await handles.approval.wakeup(`order ${run}`, { status: 'completed', output: 7 })
    const again = await handles.approval.wakeup(`order ${run}`, { status: 'failed', error: new Error('late') })
    assert.deepStrictEqual(again, woken)
    assert.equal(woken.executionId, executionId)
    assert.equal(sleeping.sleepingTaskUniqueId, `order ${run}`)
    return [sleeping.status, woken.status, woken.output]
  },
  wakeupFails: async () => {
    await handles.approval.enqueue(`refused ${run}`)
    const woken = await handles.approval.wakeup(`refused ${run}`, { status: 'failed', error: 'refused' })
    return [woken.status, woken.error.message]
  },
  running: async () => {
    const executionId = await handles.held.enqueue()
    let execution
    do execution = await handles.held.getExecution(executionId)
    while (execution.status === 'ready')
    return [execution.status, typeof execution.executorId, 'output' in execution]
  },
  invalidInput: () => handles.sendEmail.enqueue({ to: 7, send_at: new Date(0) }),
  invalidOption: () => handles.echo.enqueue(1, { timeoutMs: 0 }),
  missingTaskId: () => client.enqueueTask({ input: 1 }),
  unknownTask: () => handles.nobody.enqueue(1),
  unknownExecution: () => handles.echo.getExecution('te_nobody'),
  unknownSleeper: () => handles.approval.wakeup('nobody', { status: 'completed', output: 1 }),
  notSleeping: () => handles.echo.wakeup('u', { status: 'completed', output: 1 }),
  unauthorized: () => createTaskClientHandles(clientWith('eve'), tasks).echo.enqueue(1),
}

const outcomes = {}
for (const [name, scenario] of Object.entries(scenarios)) outcomes[name] = await outcomeOf(scenario)
console.log(JSON.stringify(outcomes))

async function finished(handle, executionId) {
  for (;;) {
    const execution = await handle.getExecution(executionId)
    if ('finishedAt' in execution) return execution
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function outcomeOf(scenario) {
  try {
    return { result: await scenario() }
  } catch (error) {
    if (!(error instanceof ORPCError)) return { failure: String(error?.stack ?? error) }
    const { code, status, message, data } = error
    return { error: { code, status, message, data } }
  }
}
