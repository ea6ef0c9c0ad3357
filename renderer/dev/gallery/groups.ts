import type { Texts } from './texts.ts'

/** Where each component of `ui/` has its place; `states/` has a file for each. */
export const groups: Readonly<Record<keyof Texts['groups'], readonly string[]>> = {
  actions: ['Button', 'IconButton', 'CopyButton', 'Kbd'],
  forms: ['Field', 'FilterInput', 'Segmented', 'Toggle', 'CodeEditor'],
  feedback: ['Banner', 'ErrorPanel', 'FaultList', 'JsonProblemNote', 'EmptyState', 'Skeleton'],
  overlays: ['Menu', 'Tooltip', 'Modal', 'ConfirmDialog'],
  data: ['QueryView', 'VirtualGrid', 'VirtualCards', 'ListFoot', 'DiffView', 'LongText'],
  layout: ['PageHeader'],
}
