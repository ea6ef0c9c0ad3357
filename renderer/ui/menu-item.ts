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
