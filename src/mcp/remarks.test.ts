import { expect, test } from 'vitest'
import { Remarks } from './remarks.ts'

/** Returns the hooks of a session, and the remarks passed to them. */
function hooks({ hasHooks = true, isFull = false } = {}) {
  const given: string[] = []
  const remark = (id: string, text: string) => {
    if (isFull) throw new Error('ENOSPC')
    given.push(`${id}: ${text}`)
  }
  return { given, keeper: { hasHooks, remark } }
}

test('a remark is shown once: by a hook if the session has any, otherwise in the next tool result', () => {
  const remarks = new Remarks()
  remarks.add('renamed', 'project')
  remarks.add('too old')
  remarks.passToHooks(hooks({ hasHooks: false }).keeper)
  const { given, keeper } = hooks()
  remarks.passToHooks(keeper)
  remarks.passToHooks(keeper)
  expect(given).toEqual(['project: renamed'])
  expect([remarks.take(), remarks.take()]).toEqual([['too old'], []])
})

test('a remark that cannot be written for the hooks is shown in the next tool result', () => {
  const remarks = new Remarks()
  remarks.add('refused', 'a')
  remarks.passToHooks(hooks({ isFull: true }).keeper)
  expect(remarks.take()).toEqual(['refused'])
})
