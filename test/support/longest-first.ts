import { basename } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The files that take longest, the longest first. The order alone matters: a long file that starts last would run alone at the
 * end. Take the durations of a whole run (`npm test` prints one per file) to renew it.
 */
const longest = [
  'mail notices service service-socket ssh-healing join outbox model ssh-failures unheard-wake messages telegram-out connections',
  'cli clock telegram-trouble cut-answers backup door join-line cli-hub loop-brake policy members client-doors service-root',
  'tails mcp-http restore shutdown limits ssh-transport disk pinned-hub crash telegram-admin ssh-sharing docs fuzz-corpus',
].flatMap(line => line.split(' '))

/** Starts the longest files first, then the other tests of processes, then the unit tests; in a fixed order in each. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => rank(a) - rank(b) || (a.moduleId < b.moduleId ? -1 : 1))
  }
}

function rank({ moduleId, project }: TestSpecification): number {
  if (project.name === 'unit') return longest.length + 1
  const place = longest.indexOf(basename(moduleId, '.test.ts'))
  return place < 0 ? longest.length : place
}
