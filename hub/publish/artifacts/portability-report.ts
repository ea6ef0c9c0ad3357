import type { Artifact } from '../context.ts'

export const portabilityReport: Artifact = {
  path: 'PORTABILITY.md',
  why: 'What of this configuration needs attention on the target, with the cure for each.',
  render: ({ findings }) => {
    const rows = findings.map(
      ({ severity, path, message, cure }) => `| ${severity} | \`${cell(path)}\` | ${cell(message)} | ${cell(cure)} |`,
    )
    const table =
      rows.length === 0 ? 'Nothing was found.' : ['| | where | what | cure |', '|---|---|---|---|', ...rows].join('\n')
    return `# What needs attention on the target\n\n${table}\n`
  },
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s+/g, ' ')
}
