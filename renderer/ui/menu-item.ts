import type { Component } from 'vue'

export interface MenuItem {
  readonly id: string
  readonly label: string
  readonly icon?: Component
  readonly danger?: boolean
  /** Sets it apart from what stands above. */
  readonly apart?: boolean
  readonly run: () => unknown
}

/** What makes a button the opener of a menu. */
export interface MenuTrigger {
  readonly id: string
  readonly 'aria-haspopup': 'menu'
  readonly 'aria-expanded': boolean
  readonly 'aria-controls': string | undefined
  readonly onClick: (event: MouseEvent) => void
  readonly onKeydown: (event: KeyboardEvent) => void
}
