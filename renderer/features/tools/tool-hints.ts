import type { ToolEntry } from '../../../hub/contract/index.ts'

export type ToolHint = 'readOnly' | 'destructive' | 'idempotent' | 'openWorld'

/** Only what the server itself says. The specification's defaults for what it leaves out would be a claim of ours. */
export function toolHints({ annotations }: Pick<ToolEntry, 'annotations'>): ToolHint[] {
  const says = (name: ToolHint): boolean => annotations?.[`${name}Hint`] === true
  const hints: ToolHint[] = says('readOnly') ? ['readOnly'] : says('destructive') ? ['destructive'] : []
  // Of a tool that changes nothing it need not be said that it may be repeated.
  if (says('idempotent') && !says('readOnly')) hints.push('idempotent')
  if (says('openWorld')) hints.push('openWorld')
  return hints
}

/** `title` of the tool, of its annotations, or its name: the order of the specification. */
export function toolTitle({ title, annotations, name }: Pick<ToolEntry, 'title' | 'annotations' | 'name'>): string {
  const annotated = annotations?.['title']
  return title ?? (typeof annotated === 'string' && annotated !== '' ? annotated : name)
}
