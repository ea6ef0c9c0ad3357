import { nextTick, defineComponent, h } from 'vue'
import { afterEach, expect, it } from 'vitest'
import { normalize } from '../../renderer/features/tools/schema-form/normalize.ts'
import SchemaForm from '../../renderer/features/tools/schema-form/SchemaForm.vue'
import { useJsonDraft, type JsonDraft } from '../../renderer/lib/use-json-draft.ts'
import type { JsonObject } from '../../renderer/lib/json.ts'
import { show, type, type Shown } from './show.ts'

let shown: Shown
afterEach(() => shown.wrapper.unmount())

/** The form and its draft, as the page has them together. */
function form(properties: object, start: JsonObject = {}): { draft: JsonDraft; unreadable: () => boolean } {
  const field = normalize({ type: 'object', properties })
  if (field.kind !== 'object') throw new Error('An object schema gave another field')
  const draft = useJsonDraft(start)
  let exposed: { unreadable: boolean } | null = null
  shown = show(
    defineComponent(
      () => () =>
        h(SchemaForm, {
          ref: (instance: unknown) => (exposed = instance as typeof exposed),
          field,
          faults: [],
          modelValue: draft.value.value,
          'onUpdate:modelValue': draft.setValue,
        }),
    ),
  )
  return { draft, unreadable: () => exposed?.unreadable ?? false }
}

it('writes what is typed into the JSON, and nothing that nobody gave', async () => {
  const { draft } = form({ name: { type: 'string' }, size: { type: 'integer' }, on: { type: 'boolean' } })
  expect(draft.text.value).toBe('{}')
  type(shown.get('textbox', 'name'), 'Ada')
  await nextTick()
  type(shown.get('textbox', 'size'), '3')
  await nextTick()
  expect(JSON.parse(draft.text.value)).toEqual({ name: 'Ada', size: 3 })
  type(shown.get('textbox', 'name'), '')
  await nextTick()
  expect(JSON.parse(draft.text.value)).toEqual({ size: 3 })
})

it('shows what is written in the JSON', async () => {
  const { draft } = form({ name: { type: 'string' }, size: { type: 'number' } })
  draft.setText('{ "name": "Bo", "size": 1.5 }')
  await nextTick()
  expect((shown.get('textbox', 'name') as HTMLInputElement).value).toBe('Bo')
  expect((shown.get('textbox', 'size') as HTMLInputElement).value).toBe('1.5')
})

it('keeps a number as it was typed while it means the same', async () => {
  const { draft } = form({ size: { type: 'number' } })
  type(shown.get('textbox', 'size'), '1.50')
  await nextTick()
  expect(draft.value.value).toEqual({ size: 1.5 })
  expect((shown.get('textbox', 'size') as HTMLInputElement).value).toBe('1.50')
})

it('takes a number out of the JSON that would be sent as another, and says so', async () => {
  const { draft, unreadable } = form({ id: { type: 'integer' } })
  type(shown.get('textbox', 'id'), '9007199254740993')
  await nextTick()
  expect(draft.value.value).toEqual({})
  expect(unreadable()).toBe(true)
  expect(shown.wrapper.find('[role="alert"]').text()).toContain('9007199254740993 has more digits')
  type(shown.get('textbox', 'id'), '7')
  await nextTick()
  expect(draft.value.value).toEqual({ id: 7 })
  expect(unreadable()).toBe(false)
})

it('does not show a value that it cannot show, and keeps it', async () => {
  const { draft } = form({ size: { type: 'integer' }, note: { type: 'string' } }, { size: 'huge', extra: 1 })
  expect(shown.wrapper.text()).toContain('The current value is not of this type: "huge"')
  expect(shown.wrapper.text()).toContain('More keys, to be seen in the JSON: extra')
  type(shown.get('textbox', 'note'), 'x')
  await nextTick()
  expect(draft.value.value).toEqual({ size: 'huge', extra: 1, note: 'x' })
})

it('sends null, false and the empty list as what they are', async () => {
  const { draft } = form({
    maybe: { type: ['string', 'null'] },
    on: { type: 'boolean' },
    list: { type: 'array', items: { type: 'array', items: { type: 'integer' } } },
  })
  shown.get('button', 'maybe: Null').click()
  await nextTick()
  ;(shown.get('radio', 'false') as HTMLInputElement).click()
  await nextTick()
  expect(draft.value.value).toEqual({ maybe: null, on: false })
  shown.get('button', 'Add item: list').click()
  await nextTick()
  expect(draft.value.value).toEqual({ maybe: null, on: false, list: [[]] })
  shown.get('button', 'Add item: Item 1').click()
  await nextTick()
  expect(draft.value.value['list']).toEqual([[0]])
  shown.get('button', 'Remove item 1 of list').click()
  await nextTick()
  expect(draft.value.value['list']).toEqual([])
  shown.get('button', 'Clear list').click()
  await nextTick()
  expect(draft.value.value).toEqual({ maybe: null, on: false })
})

it('chooses a value that is no text without making it one', async () => {
  const { draft } = form({ level: { enum: [1, 2] } })
  const select = shown.get('combobox', 'level') as HTMLSelectElement
  select.value = '1'
  select.dispatchEvent(new Event('change'))
  await nextTick()
  expect(draft.value.value).toEqual({ level: 2 })
})

it('keeps half-written JSON in a list from becoming null before one has finished', async () => {
  const { unreadable } = form({ list: { type: 'array', items: {} } }, { list: [1] })
  const field = shown.get('textbox', 'Item 1') as HTMLTextAreaElement
  type(field, '{"a":')
  await nextTick()
  expect(field.value).toBe('{"a":')
  expect(unreadable()).toBe(true)
})
