import { encode } from 'uqr'

/** Light modules around a code, without which scanners do not find it (ISO/IEC 18004). */
const quietZone = 4

/** A QR code to draw: `path` fills the dark modules, one unit each, in a square of `size` units with its quiet zone. */
export interface QrPath {
  path: string
  size: number
}

/** The code of a text. Undefined for a text that is too long for one (some 2,900 bytes). */
export function qrPath(text: string): QrPath | undefined {
  let modules: boolean[][]
  try {
    modules = encode(text, { ecc: 'L', border: quietZone }).data
  } catch {
    return undefined
  }
  return { path: modules.flatMap(runsOf).join(''), size: modules.length }
}

/** Each run of dark modules of a row as one rectangle. */
function runsOf(row: readonly boolean[], y: number): string[] {
  const runs: string[] = []
  for (let x = 0; x < row.length; x++) {
    const from = x
    while (row[x]) x++
    if (x > from) runs.push(`M${from} ${y}h${x - from}v1h${from - x}z`)
  }
  return runs
}
