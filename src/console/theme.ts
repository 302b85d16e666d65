import { effect, signal } from '@preact/signals'

/** Light, dark, or as the system is. */
export type Theme = 'system' | 'light' | 'dark'

const key = 'claude-net-theme'
const kept = localStorage.getItem(key)

/** The theme of this browser. Setting it stores and applies it. */
export const theme = signal<Theme>(kept === 'light' || kept === 'dark' ? kept : 'system')

effect(() => {
  const { value } = theme
  if (value === 'system') {
    delete document.documentElement.dataset.theme
    localStorage.removeItem(key)
  } else {
    document.documentElement.dataset.theme = value
    localStorage.setItem(key, value)
  }
  // Drawings on a canvas follow this event.
  dispatchEvent(new Event('themechange'))
})
