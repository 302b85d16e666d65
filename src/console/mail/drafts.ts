import { computed, signal } from '@preact/signals'
import { who } from '../session.ts'
import type { Draft } from './draft.ts'
import { StoredValues } from './stored-values.ts'

/** Key of a draft and its sends: a conversation, or `new`. */
export function placeOf(of: string, other: string): string {
  return `${of}/${other}`
}

/** Counter of changes of drafts, for lists that mark conversations with one. */
export const draftsVersion = signal(0)

/** The browser's storage; undefined if the page may not use it. */
export const storage = (() => {
  try {
    return localStorage
  } catch {
    return undefined
  }
})()

/** The logged-in member, who owns the drafts and sends. */
export const owner = computed(() => who.value?.name)
const drafts = computed(() => new StoredValues<Draft>('draft', owner.value ?? '', storage))

export function draftAt(place: string): Draft | undefined {
  return drafts.value.get(place)
}

/** Stores a draft, or deletes it if it is empty. */
export function keepDraft(place: string, draft: Draft): void {
  const isEmpty = draft.body.trim() === '' && draft.at === '' && (place !== 'new' || draft.to.trim() === '')
  if (isEmpty && draft.replyTo === undefined) drafts.value.delete(place)
  else drafts.value.set(place, draft)
  draftsVersion.value++
}

/** Reports whether drafts and sends survive this page. */
export function draftsLast(): boolean {
  return drafts.value.isLasting
}
