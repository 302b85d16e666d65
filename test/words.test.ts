import { globSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** First words that leave a doc comment without a subject and a verb: "What a session's wakes told…". */
const headless = /^(?:What|Who|Whom|Whose|Which|How|Where|When|That|Such|Answers|Hears|Knows)\b/

describe('comments', () => {
  it('open with a noun or a verb: "Returns the unread messages of `member`, oldest first."', () => {
    const found = globSync('{src,bench,prove,test}/**/*.{ts,tsx}').flatMap(headlessComments)
    expect(found).toEqual([])
  })

  it('are recognized when they have neither', () => {
    const open = (text: string) => headless.test(text)
    expect(['What a hub keeps.', 'How long, in ms.', 'Whose inbox it is.'].filter(open)).toHaveLength(3)
    expect(['Returns what a hub keeps.', 'Time until it ends, in ms.', 'Whether it is open.'].filter(open)).toEqual([])
  })
})

/** Returns `file:line: text` of each doc comment of `file` that opens so, in order. */
function headlessComments(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/\/\*\*[\s*]*(?<opening>[^\n]*)/g)]
    .filter(({ groups }) => headless.test(groups!.opening!))
    .map(({ index, groups }) => `${file}:${text.slice(0, index).split('\n').length}: ${groups!.opening}`)
}
