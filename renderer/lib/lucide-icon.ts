import { h, type FunctionalComponent } from 'vue'

interface IconData {
  readonly name: string
  readonly node: readonly (readonly [tag: string, attributes: Readonly<Record<string, string>>])[]
}

/**
 * What each icon of lucide is built to be in the page (`vite.config.ts`), in place of its `createLucideIcon`: that makes two components
 * of each, with properties and a context that no page of ours gives. A list shows dozens.
 */
// eslint-disable-next-line no-restricted-syntax -- as that which it stands for
export default function createIcon({ name, node }: IconData): FunctionalComponent {
  const Icon: FunctionalComponent = (_props, { attrs }) =>
    h(
      'svg',
      {
        xmlns: 'http://www.w3.org/2000/svg',
        width: 24,
        height: 24,
        viewBox: '0 0 24 24',
        fill: 'none',
        stroke: 'currentColor',
        'stroke-width': 2,
        'stroke-linecap': 'round',
        'stroke-linejoin': 'round',
        // One that has a name of its own says something.
        ...('aria-label' in attrs || 'role' in attrs ? {} : { 'aria-hidden': 'true' }),
        ...attrs,
        class: ['lucide', `lucide-${name}`, attrs['class']],
      },
      node.map(([tag, attributes]) => h(tag, attributes)),
    )
  Icon.inheritAttrs = false
  return Icon
}
