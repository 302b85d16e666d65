import { basename } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The slowest test files, the slowest first. Only the order matters: a slow file that starts last would run alone at the end. `npm test`
 * prints the duration of each file: update the list from a complete run.
 */
const longest = [
  'notices service-socket tails mail service people prove backup session-projects tail-disks model ssh-healing hub-api-of-three',
  'shell join package outbox etcd-access demo service-root power-loss cli gather clock later etcd-log restore unheard-wake docs',
  'ssh-transport telegram-admin update connections client-hubs telegram-crash telegram-out door transport tail-commands later-crash',
  'ssh-failures pin hub-api telegram-trouble routes untrusted-text disk snapshots join-line upgrade worst-inputs many-streams',
  'many-hubs cli-hub key-rotate many-reads loop-brake messages ssh-sharing telegram-owner board cut-answers fuzz-corpus',
].flatMap(line => line.split(' '))

/** Starts the slowest files first, then the other tests of processes, then the unit tests, each group in a fixed order. */
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
