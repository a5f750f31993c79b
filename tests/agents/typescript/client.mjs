// One client of the Model Context Protocol: connects, calls, subscribes, and prints what came as JSON.
//
//   node client.mjs modern|legacy '{"command": ["blikk", "mcp"]}' | '{"url": "http://127.0.0.1:1/mcp", "token": "..."}'
//
// `modern` is the protocol from 2026-07-28 on (subscriptions/listen), `legacy` the one before (resources/subscribe).
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [generation, where] = process.argv.slice(2);
const target = JSON.parse(where);
const from = createRequire(`${process.env.BLIKK_MCP_CLIENTS}/`);
const load = (name) => import(pathToFileURL(from.resolve(name)).href);

const modern = generation === 'modern';
const sdk = '@modelcontextprotocol/sdk';
const { Client, StreamableHTTPClientTransport } = modern
  ? await load('@modelcontextprotocol/client')
  : { ...(await load(`${sdk}/client/index.js`)), ...(await load(`${sdk}/client/streamableHttp.js`)) };
const { StdioClientTransport } = await load(modern ? '@modelcontextprotocol/client/stdio' : `${sdk}/client/stdio.js`);

const transport = target.url
  ? new StreamableHTTPClientTransport(new URL(target.url), {
      requestInit: { headers: { authorization: `Bearer ${target.token}` } },
    })
  : new StdioClientTransport({
      command: target.command[0],
      args: target.command.slice(1),
      env: process.env,
      stderr: 'inherit',
    });
const client = new Client({ name: 'test', version: '1' }, modern ? { versionNegotiation: { mode: 'auto' } } : {});
const updated = new Promise((resolve) => {
  const handler = (notification) => resolve(notification.params.uri);
  if (modern) client.setNotificationHandler('notifications/resources/updated', handler);
  else load(`${sdk}/types.js`).then((types) => client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, handler));
});
await client.connect(transport);
const { tools } = await client.listTools();
const now = await client.callTool({ name: 'now', arguments: {} });
const wrong = await client.callTool({ name: 'count', arguments: { label: 'ghost', last_minutes: 1 } });
const { resources } = await client.listResources();
if (modern) await client.listen({ resourceSubscriptions: ['blikk://now'] });
else await client.subscribeResource({ uri: 'blikk://now' });
const uri = await updated;
const read = await client.readResource({ uri });
console.log(
  JSON.stringify({
    version: client.getNegotiatedProtocolVersion?.() ?? null,
    tools: tools.map((tool) => tool.name),
    now: now.structuredContent,
    wrong: { isError: wrong.isError, text: wrong.content[0].text },
    resources: resources.map((resource) => resource.uri),
    uri,
    text: read.contents[0].text,
  }),
);
await client.close();
process.exit(0);
