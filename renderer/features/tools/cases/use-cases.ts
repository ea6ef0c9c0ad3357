import { useQuery, useQueryClient, type UseQueryReturnType } from '@tanstack/vue-query'
import { computed, shallowRef, type ComputedRef, type ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { toast } from 'vue-sonner'
import type { EditCase, SavedCase, SavedCaseDetail } from '../../../../hub/contract/index.ts'
import { equalJson, isObject, type JsonObject } from '../../../lib/json.ts'
import { parsePayload } from '../../../lib/payload.ts'
import { errorText } from '../../../lib/problem.ts'
import type { JsonDraft } from '../../../lib/use-json-draft.ts'
import type { Validate } from '../schema-form/validate.ts'
import type { Call } from '../use-call.ts'
import { casesApi, type Subject } from './cases-api.ts'
import { expectationOf } from './expectation.ts'
import { fitArguments, type Fitted } from './fit-arguments.ts'

export interface Cases {
  readonly subject: Subject
  readonly query: UseQueryReturnType<SavedCase[], Error>
  readonly draft: JsonDraft
  /** The case that was loaded last. */
  readonly active: ShallowRef<SavedCaseDetail | null>
  /** What of it did not fit the schema; null when all of it did. */
  readonly misfit: ShallowRef<Fitted | null>
  /** The result of the last call, if that was made with the arguments that stand there now. */
  readonly current: ComputedRef<string | null>
  /** The saved result and that of the last call, which was made with the arguments of the active case. */
  readonly comparison: ComputedRef<{ expected: string | null; actual: string } | null>
  /** False when it could not be loaded, or not as a whole. */
  load: (id: string) => Promise<boolean>
  /** Also what does not fit. */
  loadWhole: () => void
  save: (name: string, expected: string | null, acceptSecrets: boolean) => Promise<void>
  edit: (before: SavedCaseDetail, changes: EditCase, told: string) => Promise<void>
  /** A case whose call is gone becomes one of this call. */
  adopt: (found: SavedCase) => Promise<void>
  remove: (id: string) => Promise<void>
  reload: () => Promise<void>
}

/** The saved cases of one call, and how they and what stands in the form go together. */
export function useCases(options: {
  subject: Subject
  enabled: () => boolean
  draft: JsonDraft
  validate: () => Validate | null
  call: Call
  /** The arguments of a case were put in place of what was there. */
  replaced: () => void
  /** The arguments of the last call. */
  sent: ShallowRef<JsonObject | null>
}): Cases {
  const { subject, draft, call, sent } = options
  const { t } = useI18n()
  const client = useQueryClient()
  const queryKey = ['cases', ...subject] as const
  const query = useQuery({
    queryKey,
    queryFn: ({ signal }) => casesApi.list(subject, signal),
    enabled: options.enabled,
    staleTime: 0,
  })
  const active = shallowRef<SavedCaseDetail | null>(null)
  const misfit = shallowRef<Fitted | null>(null)

  const answered = computed(() => (call.state.value.kind === 'done' ? expectationOf(call.state.value.answer) : null))
  const current = computed(() => (equalJson(sent.value, draft.value.value) ? answered.value : null))
  const comparison = computed(() => {
    if (answered.value === null || active.value === null) return null
    if (!equalJson(sent.value, parsePayload(active.value.arguments))) return null
    return { expected: active.value.expected, actual: answered.value }
  })

  const reload = (): Promise<void> => client.invalidateQueries({ queryKey: [queryKey[0]] })

  function take(found: SavedCaseDetail): boolean {
    active.value = found
    const saved = parsePayload(found.arguments)
    const fitted = isObject(saved) ? fitArguments(saved, options.validate()) : null
    misfit.value = fitted === null || fitted.leftOut.length + fitted.missing.length === 0 ? null : fitted
    if (misfit.value === null) draft.setText(found.arguments)
    else draft.setValue(misfit.value.value)
    options.replaced()
    return misfit.value === null && draft.problem.value === null
  }

  /** For what has no dialog that its failure could stand in. */
  async function attempt(work: () => Promise<unknown>, failed: string): Promise<void> {
    try {
      await work()
    } catch (reason) {
      toast.error(failed, { description: errorText(reason) })
      // Somebody else may have changed what is listed here.
      await reload()
    }
  }
  function undoable(told: string, undo: () => Promise<unknown>): void {
    const onClick = (): void => void attempt(() => undo().then(reload), t('cases.undoFailed'))
    toast(told, { duration: 10_000, action: { label: t('common.undo'), onClick } })
  }

  return {
    subject,
    query,
    draft,
    active,
    misfit,
    current,
    comparison,
    reload,
    load: async (id) => {
      let fits = false
      await attempt(async () => (fits = take(await casesApi.find(id))), t('cases.loadFailed'))
      return fits
    },
    loadWhole: () => {
      misfit.value = null
      if (active.value !== null) draft.setText(active.value.arguments)
      options.replaced()
    },
    save: async (name, expected, acceptSecrets) => {
      const [method, server, target] = subject
      const body = { method, server, target, name, arguments: draft.text.value, expected, acceptSecrets }
      active.value = await casesApi.save(body)
      misfit.value = null
      await reload()
    },
    edit: async (before, changes, told) => {
      const after = await casesApi.edit(before.id, changes)
      if (active.value?.id === before.id || changes.arguments !== undefined) active.value = after
      if (changes.arguments !== undefined) misfit.value = null
      undoable(told, async () => {
        const { name, arguments: args, expected } = before
        const back = await casesApi.edit(before.id, { name, arguments: args, expected, acceptSecrets: true })
        if (active.value?.id === before.id) active.value = back
      })
      await reload()
    },
    adopt: ({ id, name, server: from, target: of }) =>
      attempt(async () => {
        const [, server, target] = subject
        await casesApi.edit(id, { server, target })
        undoable(t('cases.adopted', { name }), async () => {
          await casesApi.edit(id, { server: from, target: of, name })
          if (active.value?.id === id) active.value = misfit.value = null
        })
        await reload()
      }, t('cases.adoptFailed')),
    remove: async (id) => {
      await attempt(async () => {
        const { method, server, target, name, arguments: args, expected } = await casesApi.find(id)
        await casesApi.remove(id)
        if (active.value?.id === id) active.value = misfit.value = null
        const body = { method, server, target, name, arguments: args, expected, acceptSecrets: true }
        undoable(t('cases.deleted', { name }), () => casesApi.save(body))
        await reload()
      }, t('cases.deleteFailed'))
    },
  }
}
