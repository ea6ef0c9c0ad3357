import { afterEach, expect, it } from 'vitest'
import { defineComponent, h, nextTick, ref } from 'vue'
import LinesField from '../../renderer/features/servers/LinesField.vue'
import { show, type, type Shown } from './show.ts'

let shown: Shown
afterEach(() => shown.wrapper.unmount())

it('gives no text for the line that is about to be written, and lets it be written', async () => {
  const words = ref<string[]>(['--sep', ''])
  shown = show(
    defineComponent(
      () => () =>
        h(LinesField, {
          modelValue: words.value,
          label: 'Arguments',
          hint: '',
          placeholder: '',
          'onUpdate:modelValue': (now: string[]) => (words.value = now),
        }),
    ),
  )
  const field = shown.get('textbox', 'Arguments') as HTMLTextAreaElement
  // An empty text at the end is one, and is kept by whoever changes another.
  expect(field.value).toBe('--sep\n\n')
  for (const [text, given] of [
    ['--sep2\n\n', ['--sep2', '']],
    ['a\n', ['a']],
    ['a\nb', ['a', 'b']],
    ['a\n\nb\n', ['a', '', 'b']],
    [' ', [' ']],
    ['\n', []],
  ] as const) {
    type(field, text)
    await nextTick()
    expect(words.value).toEqual(given)
    expect(field.value).toBe(text)
  }
  words.value = ['c']
  await nextTick()
  expect(field.value).toBe('c')
})
