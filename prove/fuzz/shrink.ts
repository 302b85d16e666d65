import { placesOf } from './mutate.ts'

/** Maximum number of attempts to shrink one input. */
const maxTries = 40

/** Returns a smaller input for which `isStill` holds; `input` itself if none was found. */
export async function smaller(
  input: Buffer,
  isJson: boolean,
  isStill: (input: Buffer) => Promise<boolean>,
): Promise<Buffer> {
  let tries = 0
  let best = input
  const isBetter = async (candidate: Buffer): Promise<boolean> => {
    if (candidate.byteLength >= best.byteLength || tries++ >= maxTries || !(await isStill(candidate))) return false
    best = candidate
    return true
  }
  if (isJson) {
    for (let at = 0; tries < maxTries; ) {
      const without = withoutPlace(best, at)
      if (without === undefined) break
      if (!(await isBetter(without))) at++
    }
    return best
  }
  for (let length = Math.ceil(best.byteLength / 2); length >= 1 && tries < maxTries; length = Math.floor(length / 2)) {
    for (let at = 0; at < best.byteLength && tries < maxTries; ) {
      const without = Buffer.concat([best.subarray(0, at), best.subarray(at + length)])
      if (!(await isBetter(without))) at += length
    }
  }
  return best
}

/** Returns the JSON without its part number `at`; undefined past the last part, or if the input is not JSON. */
function withoutPlace(input: Buffer, at: number): Buffer | undefined {
  try {
    const box = { value: JSON.parse(input.toString('utf8')) as unknown }
    // The first position is the whole value.
    const place = placesOf(box)[at + 1]
    if (!place) return undefined
    if (Array.isArray(place.of)) place.of.splice(Number(place.key), 1)
    else delete place.of[place.key]
    return Buffer.from(JSON.stringify(box.value))
  } catch {
    return undefined
  }
}
