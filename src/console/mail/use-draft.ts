import { type Signal, signal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { type Draft, emptyDraft } from './draft.ts'
import { draftAt, keepDraft } from './drafts.ts'

export interface KeptDraft {
  place: string
  draft: Signal<Draft>
  /** Changes some fields, and stores the draft. */
  change: (part: Partial<Draft>) => void
  /** Clears the draft, except for the recipients in `to`. */
  clear: (to?: string) => void
}

/** Returns the draft of a place as it was left, and stores every change of it. */
export function useDraft(place: string, to = ''): KeptDraft {
  return useMemo(() => {
    const draft = signal<Draft>({ ...emptyDraft, to, ...draftAt(place) })
    const set = (next: Draft) => {
      draft.value = next
      keepDraft(place, next)
    }
    return {
      place,
      draft,
      change: part => set({ ...draft.peek(), ...part }),
      clear: (to = '') => set({ ...emptyDraft, to }),
    }
  }, [place])
}
