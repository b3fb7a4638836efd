// A real @orpc/client that sends files to the server named on the command line and receives some; prints the outcome
// of every scenario as JSON. Version 2 names the origin and the path of a server apart.
// usage: node files_client.mjs <package> <origin>
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'

const [packageName, origin] = process.argv.slice(2)
const { createORPCClient, safe } = await import(packageName)
const { RPCLink } = await import(`${packageName}/fetch`)
const isVersion2 = packageName.includes('-2-')

const clientWith = (options) =>
  createORPCClient(new RPCLink(isVersion2 ? { origin, url: '/rpc', ...options } : { url: `${origin}/rpc`, ...options }))
const client = clientWith({})
const reading = clientWith({ method: 'GET' })

const odd = 'naïve "quote" 🌍;x=1.txt'
const large = new Uint8Array(5 * 1024 * 1024).map((_, index) => index % 251)
const text = (content, name = 'a.txt', type = 'text/plain') => new File([content], name, { type })

const facts = async (file) => ({
  name: file.name,
  type: file.type,
  size: file.size,
  sha: createHash('sha256').update(Buffer.from(await file.arrayBuffer())).digest('hex').slice(0, 16),
})

const scenarios = {
  uploadsAFile: () => client.facts({ file: text('hey', odd) }),
  uploadsABlob: () => client.facts({ file: new Blob(['hey'], { type: 'application/x-thing' }) }),
  uploadsAnEmptyFile: () => client.facts({ file: text('') }),
  uploadsWhole: () => client.whole(text('hey')),
  uploadsLarge: () => client.facts({ file: new File([large], 'large.bin') }),
  uploadsByGet: () => reading.facts({ file: text('hey') }),
  uploadsBytesThatLookLikeAForm: () => client.facts({ file: text('\r\n------formdata-undici\r\n\r\n') }),
  echoesNestedFiles: async () => {
    const file = text('hey')
    const value = { at: new Date(0), files: new Set([file]), map: new Map([[1n, file]]), twice: [file, file] }
    const echoed = await client.echo(value)
    assert.deepStrictEqual(echoed.at, value.at)
    return [...echoed.files, ...echoed.map.values(), ...echoed.twice].map((item) => `${item.name} ${item.size}`)
  },
  downloads: async () => facts(await client.download()),
  downloadsLarge: async () => facts(await client.large()),
  downloadsNested: async () => {
    const nested = await client.nested()
    assert.deepStrictEqual(nested.at, new Date(0))
    return Promise.all(nested.list.map(facts))
  },
  tooLarge: async () => client.facts({ file: new File([large, large, large], 'too-large.bin') }),
}

const outcomes = {}
for (const [name, scenario] of Object.entries(scenarios)) {
  const { error, data } = await safe(scenario())
  outcomes[name] = error ? { error: { code: error.code, message: error.message } } : { result: data }
}
console.log(JSON.stringify(outcomes))
