// A real @orpc/client, typed by `contract.mjs`, against our server; prints the outcome of every scenario as JSON.
// usage: node contract_client.mjs <url>
import assert from 'node:assert/strict'
import { createORPCClient, isDefinedError, safe } from '@orpc/client'
import { RPCLink } from '@orpc/client/fetch'
import { SimpleCsrfProtectionLinkPlugin } from '@orpc/client/plugins'
import { inferRPCMethodFromContractRouter } from '@orpc/contract'
import { contract } from './contract.mjs'

const [url] = process.argv.slice(2)
const origin = 'https://app.example'
const exchanges = []

const clientWith = (options) =>
  createORPCClient(
    new RPCLink({
      url,
      method: inferRPCMethodFromContractRouter(contract),
      fetch: async (request, init) => {
        const response = await fetch(request, init)
        exchanges.push({ method: request.method, headers: response.headers, status: response.status })
        return response
      },
      ...options,
    }),
  )
const client = clientWith({ plugins: [new SimpleCsrfProtectionLinkPlugin()] })
const unprotected = clientWith({})
const ofAPage = clientWith({ headers: { origin }, plugins: [new SimpleCsrfProtectionLinkPlugin()] })
const last = () => exchanges.at(-1)

class Money {
  constructor(cents, since) {
    Object.assign(this, { cents, since })
  }
}
const money = {
  type: 21,
  condition: (value) => value instanceof Money,
  serialize: ({ cents, since }) => [cents, since],
  deserialize: ([cents, since]) => new Money(cents, since),
}

const scenarios = {
  find: async () => {
    const planet = await client.planets.find({ id: 1 })
    assert.ok(planet.seenAt instanceof Date)
    return [last().method, planet.name]
  },
  create: async () => {
    const planet = await client.planets.create({ name: 'Mars', seenAt: new Date(0) })
    return [last().method, planet.id, planet.name, planet.seenAt.getTime()]
  },
  serverTime: async () => {
    const time = await client.serverTime()
    return [last().method, time.toISOString()]
  },
  nothing: async () => String(await client.planets.visit({ id: 1 })),
  notFound: () => client.planets.find({ id: 7 }),
  closed: async () => {
    const { error, isDefined } = await safe(client.planets.visit({ id: 2 }))
    assert.ok(isDefined && isDefinedError(error))
    return [error.code, error.status, error.data.until.toISOString()]
  },
  unauthorized: () => client.planets.visit({ id: 3 }),
  invalid: () => client.planets.visit({ id: 'one' }),
  strictGet: () => clientWith({ method: 'GET', plugins: [new SimpleCsrfProtectionLinkPlugin()] }).planets.create({}),
  csrf: () => unprotected.planets.visit({ id: 1 }),
  preflight: async () => {
    const headers = {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,x-csrf-token',
    }
    const response = await fetch(`${url}/planets/find`, { method: 'OPTIONS', headers })
    return [response.status, await response.text(), seen(response.headers)]
  },
  cors: async () => {
    await ofAPage.serverTime()
    return seen(last().headers)
  },
  corsOfAnError: async () => {
    await safe(ofAPage.planets.find({ id: 7 }))
    return [last().status, last().headers.get('access-control-allow-origin')]
  },
  corsOfAStranger: async () => {
    const stranger = clientWith({ headers: { origin: 'https://evil.example' } })
    await safe(stranger.serverTime())
    return [last().headers.get('access-control-allow-origin'), last().headers.get('vary')]
  },
  watch: async () => {
    const seen = []
    const planets = await client.planets.watch({ id: 3 })
    for (;;) {
      const { done, value } = await planets.next()
      if (done) return [...seen, value, last().headers.get('content-encoding')]
      seen.push([value.id, value.seenAt instanceof Date])
    }
  },
  compressed: async () => {
    const planet = await client.planets.create({ name: 'x'.repeat(5000), seenAt: new Date(0) })
    return [last().headers.get('content-encoding'), planet.name.length]
  },
  ownType: async () => {
    const csrf = [new SimpleCsrfProtectionLinkPlugin()]
    const paying = clientWith({ customJsonSerializers: [money], plugins: csrf, method: 'POST' })
    const { price } = await paying.double({ price: new Money(5n, new Date(0)) })
    assert.ok(price instanceof Money && price.since instanceof Date)
    return [String(price.cents), typeof price.cents, price.since.getTime()]
  },
  cookies: async () => {
    await client.serverTime()
    return last().headers.getSetCookie()
  },
}

const outcomes = {}
for (const [name, scenario] of Object.entries(scenarios)) outcomes[name] = await outcomeOf(scenario)
console.log(JSON.stringify(outcomes))

function seen(headers) {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')))
}

async function outcomeOf(scenario) {
  const { error, data, isDefined } = await safe(scenario())
  if (!error) return data
  const { code, status, message, data: detail } = error
  return { code, status, message, data: detail, isDefined: isDefined && isDefinedError(error) }
}
