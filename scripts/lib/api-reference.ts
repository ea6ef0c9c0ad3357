import { openApiDocument } from '../../hub/api/openapi.ts'
import { bodyOf, operationGroups, openApiSchema, successOf, type ApiOperation } from '../../renderer/lib/open-api.ts'
import { schemaText } from '../../renderer/lib/schema-text.ts'

const HEAD = `# REST API

<!-- Written by \`node scripts/api-reference.ts\` from the hub's own tables and schemas; what is changed here by hand is lost. -->

Every hub serves this description as OpenAPI 3.1 at \`/api/openapi.json\`, and as a page at \`/reference\`.

- **Who asks**: \`Authorization: Bearer …\` with an API key, the access token of a session or the hub's own token; a browser that
  signed in sends its cookie. Each operation names the permission that the caller's role must grant; \`GET /api/roles\` tells
  which role grants what. Callers with a scope may use those marked _scoped_, and see there only what their scope names.
- **Bodies** are \`application/json\`; nothing else is taken, and no unknown field. Times are milliseconds since 1970.
- **Failures** are \`application/problem+json\` (RFC 9457) with a stable \`code\`: [errors.md](errors.md) lists them,
  [TROUBLESHOOTING.md](TROUBLESHOOTING.md) what to do.
- **Rates** are limited by class and told by the headers \`RateLimit\` and \`RateLimit-Policy\`; 429 carries \`Retry-After\`.
- **Events**: \`GET /api/events\` streams what happens; \`Last-Event-ID\` brings what was missed. Each
  caller gets the events of what their permissions let them read: of servers with \`servers:read\`, of pushes with \`config:push\`.

\`\`\`sh
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3737/api/servers
\`\`\``

/** The text of `docs/API_REFERENCE.md`. */
export function apiReference(): string {
  const document = openApiSchema.parse(openApiDocument())
  const groups = operationGroups(document).map(({ title, operations }) =>
    [`## ${title}`, ...operations.map(operationText)].join('\n\n'),
  )
  const types = Object.entries(document.components.schemas).map(
    ([name, schema]) => `type ${name} = ${schemaText(schema)}`,
  )
  return [HEAD, ...groups, '## Types', `\`\`\`ts\n${types.join('\n\n')}\n\`\`\``].join('\n\n') + '\n'
}

function operationText(operation: ApiOperation): string {
  const need = operation['x-permission']
  const who = need === 'open' ? 'open to all' : need === 'signed-in' ? 'for whoever is signed in' : `needs \`${need}\``
  const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query')
  const body = bodyOf(operation)
  const { status, type, schema } = successOf(operation)
  const lines = [
    ...query.map(
      ({ name, required, schema: one }) =>
        `- \`?${name}=\` ${code(schemaText(one))}${required === true ? ', required' : ''}`,
    ),
    ...(body === undefined ? [] : [`- takes ${code(schemaText(body))}`]),
    `- answers ${status}${type === null ? '' : ` ${code(type === 'application/json' ? schemaText(schema) : type)}`}`,
  ]
  const title = `### ${operation.method} ${operation.path}`
  return `${title}\n\n${operation.summary}; ${who}${operation['x-scoped'] === true ? ', scoped' : ''}.\n\n${lines.join('\n')}`
}

/** On one line: what has more is in the list of types. */
const code = (text: string): string => `\`${text.replace(/\s+/g, ' ')}\``
