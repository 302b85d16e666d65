import { useSignal } from '@preact/signals'
import { bytesInWords } from '../../text/bytes.ts'
import { firstCharacters } from '../../text/visible.ts'
import { Text } from '../ui/text.tsx'
import type { Shown } from './conversation.ts'

/** Length and number of lines from which a text is folded, and the part shown then. */
const long = { characters: 1600, lines: 24 }

type Told = Pick<Shown, 'body' | 'bytes' | 'withheld' | 'damaged' | 'textDeletedAt' | 'held'>

/** The text of a message, folded if it is long; or the reason why there is none. */
export function Body({ of, whole = false }: { of: Told; whole?: boolean }) {
  const isOpen = useSignal(whole)
  const why = missing(of)
  if (why !== undefined) return <p class="no-text">{why}</p>
  const short = isOpen.value ? of.body : beginningOf(of.body)
  return (
    <div class="body">
      <Text>{short}</Text>
      {short.length < of.body.length && (
        <button type="button" class="unfold" onClick={() => (isOpen.value = true)}>
          Show all {bytesInWords(of.bytes ?? new TextEncoder().encode(of.body).length)}
        </button>
      )}
    </div>
  )
}

/** Returns a sentence that explains why a message has no text to show, or undefined if it has one. */
export function missing({ withheld, damaged, textDeletedAt, bytes }: Told): string | undefined {
  if (withheld) return `The text (${bytesInWords(bytes ?? 0)}) is not shown to an admin.`
  if (textDeletedAt)
    return `The hub deleted the text on ${new Date(textDeletedAt).toLocaleDateString('en-GB')}: its retention had ended.`
  return damaged ? 'This message is damaged on the disk of the hub.' : undefined
}

/** The first lines of a long text, all of a short one. */
export function beginningOf(text: string): string {
  let end = 0
  for (let lines = 0; lines < long.lines; lines++) {
    const next = text.indexOf('\n', end)
    if (next < 0) {
      end = text.length
      break
    }
    end = next + 1
  }
  const head = text.slice(0, end)
  const cut = head.length > long.characters ? firstCharacters(head, long.characters) : head
  // A few remaining words do not justify a button.
  return text.length - cut.length < 200 && text.slice(cut.length).split('\n').length < 5 ? text : cut
}
