import { helpOf } from '../../hub/config/setting-help.ts'
import { defaultOf, isSystemPath, settingEntries, type SettingName, type Where } from '../../hub/config/settings.ts'

const places: readonly [name: string, where: Where][] = [
  ['server', { mode: 'server', production: false }],
  ['production', { mode: 'server', production: true }],
  ['desktop', { mode: 'desktop', production: false }],
]

/** docs/settings.md: the table of settings as a page. */
export function settingsReference(): string {
  const row = ([name, { variable, option, live, secret }]: (typeof settingEntries)[number]): string => {
    const set = [
      option === undefined ? '' : `\`--${option}\``,
      variable === undefined ? '' : `\`${variable}\`${secret === true ? ' (or `_FILE`)' : ''}`,
    ]
    const when = !isSystemPath(name) ? 'start' : live === true ? 'at once' : 'restart'
    return `| ${[isSystemPath(name) ? `\`${name}\`` : '', set.filter(Boolean).join(' '), defaultText(name), when, helpOf(name).replaceAll('|', '\\|')].join(' | ')} |`
  }
  return `# Settings

Written from the table in \`hub/config/settings.ts\` by \`node scripts/settings.ts\`; do not edit by hand.

A setting has the first value that there is: of the command line (\`npm run hub -- --port 8080\`), of the environment, of
\`system.json\` in CONFIG_DIR, the default. What is set before \`system.json\` is not changed by it, also not while the hub runs.
Secrets have no option, because every user of a machine sees the command lines of all; \`JWT_SECRET_FILE=/run/secrets/jwt\` takes
one from a file. In \`system.json\` a text may hold \`\${NAME}\`, \`\${NAME:-fallback}\`, \`\${secret:NAME}\` and \`\${file:/path}\`; one without a value is a fault,
never the text itself. So may the entries of \`servers.json\`; in \`profiles.json\` and \`users.json\` nothing is a reference.

\`mcp-hub config show --origin\` prints every setting with its value and where it comes from, without secrets; \`mcp-hub config
check\` tells every fault of the files.

*At once*: a change of \`system.json\` takes effect within a second, without a restart of any server or the end of any session.
*Restart*: the hub says so in its log, at \`GET /api/hub\` and under Settings, and goes on as it is until it is started anew.

| system.json | option, variable | default | takes effect | what it does |
| --- | --- | --- | --- | --- |
${settingEntries.map(row).join('\n')}
`
}

/** One where all places have the same, else each with its own. */
function defaultText(name: SettingName): string {
  const texts = places.map(([place, where]) => [place, textOf(defaultOf(name, where))] as const)
  const [, usual] = texts[0] ?? ['', '']
  const others = texts.filter(([, text]) => text !== usual)
  return [usual, ...others.map(([place, text]) => `${text} (${place})`)].join(', ')
}

function textOf(value: unknown): string {
  if (value === null) return '–'
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}
