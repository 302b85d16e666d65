// Records the demo: runs it and writes demo.svg, an animated picture of its terminal, which the README shows.
//   npm run record
// Every line is what the demo printed. Only its directory, port and message ids are replaced, so that two recordings of the same
// demo are the same file, and its pace: each step stays for as long as it takes to read.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'

/** File the recording is written to. */
export const recording = resolve(import.meta.dirname, 'demo.svg')

/** Message ids shown instead of those of the run, in their order. */
const sampleIds = ['01a20482-a206-75df-94e3-af894eff8204', '01a20482-a225-7125-b76b-d339c1cd6091']

/** Size of the window, in characters. */
const [columns, rows] = [100, 26]

/** Size of a character, and space around the text, in px. */
const [charWidth, lineHeight, margin] = [7.85, 18, 20]

/** Returns what a demo printed, with the same directory, port and ids for each run. */
export function transcript(printed: string): string {
  const ids = [...new Set(printed.match(/[0-9a-f]{8}-[0-9a-f-]{27}/g))]
  return printed
    .replaceAll(/\/\S*\/claude-net-demo-\w{6}/g, '/tmp/claude-net-demo')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:3500')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, id => sampleIds[ids.indexOf(id)] ?? id)
}

/** Returns the animated picture of a terminal in which `text` is printed step by step. */
export function picture(text: string): string {
  const steps = ['$ npm run demo', ...stepsOf(text)].map(step => step.split('\n').flatMap(styledLines))
  let time = 0.8
  let row = 0
  const drawn: string[] = []
  const shown: number[] = []
  const scrolled: [time: number, row: number][] = []
  for (const lines of steps) {
    drawn.push(
      `<g class="s${shown.length}">${lines.map(([line, style], at) => textElement(line, style, row + at)).join('')}</g>`,
    )
    row += lines.length
    if (row > rows) scrolled.push([time, row - rows])
    shown.push(time)
    time += 0.5 + lines.join('').length * 0.012
  }
  const total = time + 4
  const percent = (at: number) => `${((100 * at) / total).toFixed(2)}%`
  const up = (lines: number) => `{transform:translateY(${-lines * lineHeight}px)}`
  const [width, height] = [Math.ceil(columns * charWidth) + 2 * margin, rows * lineHeight + 2 * margin]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>The demo of Claude Net in a terminal</title>
<style>
.w{fill:#fff;stroke:#d0d7de}text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#57606a;white-space:pre}
.c{fill:#0550ae;font-weight:600}.q{fill:#116329}.m{fill:#1f2328}
@media(prefers-color-scheme:dark){.w{fill:#0d1117;stroke:#30363d}text{fill:#8b949e}.c{fill:#79c0ff}.q{fill:#7ee787}.m{fill:#e6edf3}}
g{animation:${total.toFixed(1)}s step-end infinite}
.all{animation-name:all}@keyframes all{0%${up(0)}${scrolled.map(([at, by]) => percent(at) + up(by)).join('')}}
${shown.map((at, n) => `.s${n}{animation-name:s${n}}@keyframes s${n}{0%{opacity:0}${percent(at)}{opacity:1}}`).join('\n')}
@media(prefers-reduced-motion:reduce){g{animation:none}}
</style>
<clipPath id="window"><rect x="1" y="${margin}" width="${width - 2}" height="${height - 2 * margin}"/></clipPath>
<rect class="w" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>
<g clip-path="url(#window)"><g class="all">
${drawn.join('\n')}
</g></g>
</svg>
`
}

/** Splits what was printed into steps: each command, tool call and result is shown by itself. */
function stepsOf(text: string): string[] {
  return text
    .trimEnd()
    .split(/(?<=\n)(?=\n\S)|(?<= calls .*\n)|(?<=^A hub .*\n)|\n(?=\$ )/)
    .map(step => step.replace(/\n$/, ''))
}

/** Returns the lines that the window shows for `line`, indented as it is, each with its class: a call, a quote, a receipt. */
function styledLines(line: string): [text: string, style: string][] {
  const style = /^\$|^\w+ calls /.test(line)
    ? 'c'
    : /^ +>/.test(line)
      ? 'q'
      : /^ {4}(?:Message|from|Stored|No member) /.test(line)
        ? 'm'
        : ''
  return wrap(line).map(text => [text, style])
}

function wrap(line: string): string[] {
  if (line.length <= columns) return [line]
  const indent = /^ */.exec(line)![0]
  const space = line.lastIndexOf(' ', columns)
  const at = space > indent.length ? space : columns
  return [line.slice(0, at), ...wrap(indent + line.slice(at).trimStart())]
}

function textElement(line: string, style: string, row: number): string {
  if (line.trim() === '') return ''
  const escaped = line.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const y = margin + row * lineHeight + 13
  return `<text${style && ` class="${style}"`} x="${margin}" y="${y}" xml:space="preserve">${escaped}</text>`
}

const help = `Usage: npm run record

Run the demo, and write ${relative(process.cwd(), recording)}, the animated picture of its terminal that the README shows.

Options:
  -h, --help  Show this help`

if (import.meta.main) {
  if (process.argv.length > 2) {
    const isHelp = ['--help', '-h'].includes(process.argv[2]!)
    console[isHelp ? 'log' : 'error'](help)
    process.exit(isHelp ? 0 : 2)
  }
  const program = resolve(import.meta.dirname, '../../dist/claude-net.mjs')
  const printed = execFileSync(process.execPath, [program, 'demo', '--once'], { encoding: 'utf8' })
  writeFileSync(recording, picture(transcript(printed)))
}
