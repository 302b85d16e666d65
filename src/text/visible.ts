/**
 * Makes text of unknown origin safe to show to a model or in a terminal: characters that could move the cursor, reorder the line, hide, or
 * pass for others become visible, as `\u{202e}`. Ordinary text stays unchanged: line feeds, tabs, letters of every script, emoji with their
 * joiners.
 */
export function visible(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(hidden(), char => `\\u{${char.codePointAt(0)!.toString(16).padStart(4, '0')}}`)
}

/** Does the same, in one line of at most `max` characters: for a first line, a name, an address in a sentence. */
export function visibleLine(text: string, max: number): string {
  const line = visible(text).replace(/[\n\t]+/g, ' ')
  if ([...line].length <= max) return line
  // A cut within a grapheme would leave a joiner or a selector that joins or selects nothing.
  let [end, left] = [0, max - 1]
  for (const { segment, index } of graphemes().segment(line)) {
    left -= [...segment].length
    if (left < 0) break
    end = index + segment.length
  }
  return `${line.slice(0, end)}…`
}

/** Returns the first `max` characters of a text, none of them cut in half. */
export function firstCharacters(text: string, max: number): string {
  return [...text.slice(0, 2 * max)].slice(0, max).join('')
}

/** Made at the first cut, since it loads Unicode's tables into memory, as `hidden` does. */
const graphemes = once(() => new Intl.Segmenter())

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}

/**
 * Returns `value` as JSON in one line. Characters that `visible` would make visible are escaped, so that none has an effect in a terminal.
 */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value).replace(hidden(), char =>
    char.replace(/./gs, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}

/**
 * Controls, format characters, private use, lone surrogates, line and paragraph separators, and all else that draws nothing
 * (fillers, variation selectors, tags, Braille blank). Three are kept where they belong: line feed and tab, and inside an
 * emoji a zero-width joiner and the emoji variation selector.
 */
const hidden = once(
  () =>
    new RegExp(
      [
        String.raw`(?![\n\t])\p{Cc}`,
        String.raw`(?<!\p{Extended_Pictographic}\ufe0f?\p{Emoji_Modifier}?)\u200d|\u200d(?!\p{Extended_Pictographic})`,
        String.raw`(?!\u200d)\p{Cf}`,
        String.raw`\p{Co}|\p{Cs}|\p{Zl}|\p{Zp}`,
        String.raw`(?![\u200d\ufe0f])\p{Default_Ignorable_Code_Point}|\u2800`,
        String.raw`(?<!\p{Extended_Pictographic}|[0-9#*](?=\ufe0f\u20e3))\ufe0f`,
      ].join('|'),
      'gu',
    ),
)
