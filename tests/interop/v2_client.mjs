// The client of the beta of version 2 against the server named on the command line; prints the outcome of every
// scenario as JSON.
// usage: node v2_client.mjs <origin>
import assert from 'node:assert/strict'
import { createORPCClient, safe } from 'orpc-client-2-beta'
import { RPCLink } from 'orpc-client-2-beta/fetch'
import { BatchLinkPlugin } from 'orpc-client-2-beta/plugins'

const [origin] = process.argv.slice(2)
const clientWith = (options) => createORPCClient(new RPCLink({ origin, url: '/rpc', ...options }))
const client = clientWith({})
const reading = clientWith({ method: 'GET' })

const rich = {
  bigint: 12345678901234567890n,
  date: new Date('2024-02-29T12:34:56.789Z'),
  nan: Number.NaN,
  url: new URL('https://a.example/b?c=d'),
  regexp: /a\/b/gi,
  set: new Set([1, '1', true, new Set([2n])]),
  map: new Map([['k', new Date(0)], [1, new Map([[{ a: 1 }, undefined]])]]),
  array: [undefined, null, 1.5, -3, 1e21],
  empty: { object: {}, array: [], string: '' },
}

const scenarios = {
  plain: () => client.ping(),
  get: () => reading.echo({ a: 'b c' }),
  echoesEveryType: async () => {
    for (const value of [rich, ...Object.values(rich), null, 0, false, '']) {
      assert.deepStrictEqual(await client.echo(value), value)
      assert.deepStrictEqual(await reading.echo(value), value)
    }
    return 'same'
  },
  undefinedBothWays: async () => {
    const all = [await client.nothing(), await client.echo(), await reading.echo()]
    return all.every((value) => value === undefined)
  },
  events: async () => {
    const events = await client.count({ to: 2 })
    const seen = []
    while (true) {
      const { done, value } = await events.next()
      seen.push(done ? value : [value.i, value.at instanceof Date])
      if (done) return seen
    }
  },
  eventsAsInput: () => client.sum(numbers()),
  batchStreaming: () => together('streaming'),
  batchBuffered: () => together('buffered'),
  oddPath: () => client['odd name/é'](),
  notFound: () => client.errors.notFound(),
  declared: () => client.errors.soldOut(),
  masked: () => client.errors.bug(),
}

async function* numbers() {
  for (const number of [1n, 2n, 3n]) yield number
}

async function together(mode) {
  const plugin = new BatchLinkPlugin({ mode, groups: [{ condition: () => true, context: {} }] })
  const batching = clientWith({ plugins: [plugin] })
  const calls = [batching.ping(), batching.echo({ at: new Date(0) }), batching.errors.notFound()]
  const [first, second, third] = await Promise.allSettled(calls)
  return [first.value, second.value.at instanceof Date, third.reason.code, await client.batches()]
}

const outcomes = {}
for (const [name, scenario] of Object.entries(scenarios)) outcomes[name] = await outcomeOf(scenario)
console.log(JSON.stringify(outcomes, (_, value) => (typeof value === 'bigint' ? String(value) : value)))

async function outcomeOf(scenario) {
  const { error, data } = await safe(scenario())
  if (!error) return { result: data }
  const { code, message, defined, inferable } = error
  return { error: { code, message, defined, inferable, data: error.data } }
}
