import type { Field } from './normalize.ts'

/** What a control gets from the field around it. */
export interface ControlAttributes {
  readonly id: string
  readonly 'aria-invalid': true | undefined
  readonly 'aria-describedby': string | undefined
  readonly 'aria-required': true | undefined
}

export interface WidgetProps<K extends Field['kind']> {
  readonly field: Extract<Field, { kind: K }>
  readonly name: string
  readonly pointer: string
  readonly control: ControlAttributes
}
