import { expect, test } from 'vitest'
import { addressesIn, completed, type Directory, suggestions, wordAt } from './completion.ts'

const member = (name: string, more: Partial<Directory['members'][number]> = {}) => ({
  ...{ name, kind: 'machine', owner: null, aliases: [], online: false },
  ...more,
})
const directory: Directory = {
  members: [
    member('ana', { kind: 'human' }),
    member('backend-1', {
      online: true,
      aliases: ['api'],
      projects: [
        { name: 'billing', sessions: 2 },
        { name: 'books', sessions: 0 },
      ],
    }),
    member('backend-2'),
    member('github', { kind: 'service' }),
    member('seanclaude', { owner: 'sean', online: true }),
  ],
  groups: [{ name: 'back', members: ['backend-1', 'backend-2', 'ana', 'seanclaude'] }],
}
const found = (word: string, taken: string[] = []) =>
  suggestions(directory, word, taken, 'ana').map(({ address }) => address)

test('names, aliases and groups that begin as typed come first, and who is online before who is not', () => {
  expect(found('back')).toEqual(['back', 'backend-1', 'backend-2'])
  expect(found('@BACKEND')).toEqual(['backend-1', 'backend-2'])
  expect(found('api')).toEqual(['api'])
  expect(found('2')).toEqual(['backend-2'])
  expect(found('claude')).toEqual(['seanclaude'])
  expect(found('')).toEqual(['all', 'api', 'back', 'backend-1', 'seanclaude', 'backend-2'])
})

test('neither oneself, nor a service, nor who is listed already is suggested', () => {
  expect(found('ana')).toEqual([])
  expect(found('git')).toEqual([])
  expect(found('backend', ['Backend-1'])).toEqual(['backend-2'])
})

test('behind a slash the projects of that machine are suggested, by its name or an alias', () => {
  expect(found('backend-1/')).toEqual(['backend-1/billing', 'backend-1/books'])
  expect(found('api/bo')).toEqual(['api/books'])
  expect(found('backend-2/')).toEqual([])
})

test('a suggestion says what stands behind the name', () => {
  const noteOf = (word: string) => suggestions(directory, word, [], 'ana')[0]!.note
  expect(noteOf('api')).toBe('alias of backend-1')
  expect(noteOf('sean')).toBe('machine of sean')
  expect(noteOf('back')).toBe('group of 4: backend-1, backend-2, ana, …')
  expect(noteOf('backend-1/b')).toBe('project with 2 sessions')
})

test('the word at the caret is replaced, and the list goes on behind it', () => {
  const text = 'ana, ba, sean'
  const word = wordAt(text, 7)
  expect(word).toEqual({ start: 5, end: 7, text: 'ba' })
  expect(completed(text, word, 'backend-1')).toEqual({ text: 'ana, backend-1, sean', caret: 16 })
  expect(completed('b', wordAt('b', 1), 'back')).toEqual({ text: 'back, ', caret: 6 })
  expect(wordAt('ana, ', 5).text).toBe('')
})

test('a list is read with commas, semicolons and spaces, and each address once', () => {
  expect(addressesIn(' ana,backend-1/billing; ana  sean ,,')).toEqual(['ana', 'backend-1/billing', 'sean'])
  expect(addressesIn('  ')).toEqual([])
})
