import type { Reporter, TestModule } from 'vitest/node'

/** Prints the skipped tests by reason, and `N passed, N failed` as the very last line, for humans and for CI. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const skipped = new Map<string, string[]>()
    const counts = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      const tests = [...module.children.allTests()]
      for (const test of tests) {
        const result = test.result()
        counts[result.state]++
        // A test without a note was excluded on the command line.
        if (result.state !== 'skipped' || !result.note) continue
        skipped.set(result.note, [...(skipped.get(result.note) ?? []), test.fullName])
      }
      // A file that does not load, or whose preparation fails, has no failed test to count.
      if (module.state() === 'failed' && !tests.some(test => test.result().state === 'failed')) counts.failed++
    }
    for (const [why, names] of skipped)
      console.log(`${names.length} skipped: ${why}\n${names.map(name => `  ${name}`).join('\n')}`)
    const line = `${counts.passed} passed, ${counts.failed + counts.pending} failed`
    process.once('exit', () => console.log(counts.skipped > 0 ? `${counts.skipped} skipped\n${line}` : line))
  }
}
