// A real @orpc/client against the server named on the command line; prints the outcome of every scenario as JSON.
// usage: node js_client.mjs <package> <url>
import assert from 'node:assert/strict'

const [packageName, url] = process.argv.slice(2)
const { createORPCClient, isDefinedError, ORPCError, safe } = await import(packageName)
const { RPCLink } = await import(`${packageName}/fetch`)

const clientWith = (options) => createORPCClient(new RPCLink({ url, ...options }))
const plain = clientWith({})
const reading = clientWith({ method: 'GET' })
const signedIn = clientWith({ headers: { authorization: 'Bearer ada' } })

const rich = {
  bigint: 12345678901234567890n,
  smallBigint: 5n,
  date: new Date('2024-02-29T12:34:56.789Z'),
  nan: Number.NaN,
  url: new URL('https://a.example/b?c=d'),
  set: new Set([1, '1', true, new Set([2n])]),
  map: new Map([['k', new Date(0)], [1, new Map([[{ a: 1 }, undefined]])]]),
  array: [undefined, null, 1.5, -3, 1e21],
  text: 'naïve 🌍   "quoted" \\ \ud83d',
  empty: { object: {}, array: [], string: '' },
}

const scenarios = {
  plain: () => plain.ping(),
  echoesEveryType: async () => {
    for (const value of [rich, ...Object.values(rich), null, undefined, 0, false, '']) {
      assert.deepStrictEqual(await plain.echo(value), value)
    }
    return 'same'
  },
  // Not above: 1.16.1 compiles a pattern when it is first used, and is an empty object to the comparison until then.
  echoesARegExp: async () => String(await plain.echo(/a\/b/gi)),
  // Not above: Node.js finds two invalid dates different.
  echoesAnInvalidDate: async () => {
    const echoed = await plain.echo({ at: new Date(Number.NaN) })
    return echoed.at instanceof Date && Number.isNaN(echoed.at.getTime())
  },
  undefinedInput: () => plain.describe(),
  undefinedOutput: async () => (await plain.nothing()) === undefined,
  noneIsNull: () => plain.none(),
  nestedPath: () => plain.deep.er.still(),
  unicodePath: () => plain['odd name/é 🌍'](),
  dotsInAName: () => plain['a.b']['..c'](),
  typedInput: async () => {
    const receipt = await plain.order({ item: 'lamp', amount: 2, due: new Date(0), tags: new Set(['a']) })
    assert.ok(receipt.due instanceof Date)
    return { ...receipt, due: receipt.due.toISOString() }
  },
  validationFailure: () => plain.order({ item: 'lamp', amount: 'two', due: new Date(0), tags: new Set() }),
  errorWithData: () => plain.errors.withData(),
  errorDefined: () => plain.errors.soldOut(),
  errorMasked: () => plain.errors.bug(),
  errorBadOutput: () => plain.errors.badOutput(),
  errorCustomStatus: () => plain.errors.teapot(),
  notFound: () => plain.no.such.procedure(),
  get: () => reading.find({ id: 3, since: new Date(0) }),
  getOfAPostProcedure: () => reading.echo(1),
  getTooLongFallsBackToPost: async () => (await reading.find({ id: 1, pad: 'x'.repeat(3000) })).id,
  unauthorized: () => plain.private.whoAmI(),
  authorized: () => signedIn.private.whoAmI(),
  put: () => clientWith({ method: 'PUT' }).echo('put'),
  tooLarge: () => plain.echo('x'.repeat(200_000)),
  abortedCall: async () => {
    const controller = new AbortController()
    const call = plain.slow(undefined, { signal: controller.signal })
    while (!(await plain.slowStarted())) await new Promise((resolve) => setTimeout(resolve, 5))
    controller.abort()
    await call.catch(() => {})
    while (!(await plain.slowCancelled())) await new Promise((resolve) => setTimeout(resolve, 5))
    return 'cancelled'
  },
}

const outcomes = {}
for (const [name, scenario] of Object.entries(scenarios)) outcomes[name] = await outcomeOf(scenario)
console.log(JSON.stringify(outcomes))

async function outcomeOf(scenario) {
  const { error, data, isDefined } = await safe(scenario())
  if (!error) return { result: data }
  if (!(error instanceof ORPCError)) return { failure: `${error.name}: ${error.message}` }
  assert.equal(isDefined, isDefinedError(error))
  const { code, status, message, defined } = error
  return { error: { code, status, message, defined, data: error.data } }
}
