// Runs the real part in a process of its own, which `isolate.ts` starts: options as JSON in, a PartResult as JSON out.
import { type RealOptions, runReal } from './part.ts'

const options = JSON.parse(process.argv[2]!) as Omit<RealOptions, 'say'>
const say = (text: string) => process.stderr.write(`prove: ${text}\n`)
const result = await runReal({ ...options, say })
process.stdout.write(JSON.stringify(result), () => process.exit(0))
