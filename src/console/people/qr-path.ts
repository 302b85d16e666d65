import { encode } from 'uqr'

/** Width of the light border, in modules, without which scanners do not find the code (ISO/IEC 18004). */
const quietZone = 4

/** A QR code to draw: `path` fills the dark modules, one unit each, in a square of `size` units with its quiet zone. */
export interface QrPath {
  path: string
  size: number
}

/** Returns the code of a text; undefined if the text is too long for one (some 2,900 bytes). */
export function qrPath(text: string): QrPath | undefined {
  let modules: boolean[][]
  try {
    modules = encode(text, { ecc: 'L', border: quietZone }).data
  } catch {
    return undefined
  }
  return { path: modules.flatMap(runsOf).join(''), size: modules.length }
}

/** Returns each run of dark modules of a row as one rectangle. */
function runsOf(row: readonly boolean[], y: number): string[] {
  const runs: string[] = []
  for (let x = 0; x < row.length; x++) {
    const from = x
    while (row[x]) x++
    if (x > from) runs.push(`M${from} ${y}h${x - from}v1h${from - x}z`)
  }
  return runs
}
