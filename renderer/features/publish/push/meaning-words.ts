import type { Meaning } from '../../../../hub/contract/index.ts'

/** Key and values of the sentence for a difference; what it was and is stands beside it. */
export function meaningWords({ code, subject, field, item }: Meaning): [string, Record<string, string>] {
  const named = ['version-changed', 'target-changed', 'setting-changed'].includes(code)
    ? { subject: [subject, field].filter((part) => part !== null && part !== '').join('.') }
    : { subject, field: field ?? '', item: item ?? '' }
  return [`publish.meaning.${code}`, named]
}
