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

test('names, aliases and groups that start with the typed text come first, and online members before others', () => {
  expect(found('back')).toEqual(['back', 'backend-1', 'backend-2'])
  expect(found('@BACKEND')).toEqual(['backend-1', 'backend-2'])
  expect(found('api')).toEqual(['api'])
  expect(found('2')).toEqual(['backend-2'])
  expect(found('claude')).toEqual(['seanclaude'])
  expect(found('')).toEqual(['all', 'api', 'back', 'backend-1', 'seanclaude', 'backend-2'])
})

test('the reader, services and recipients already listed are not suggested', () => {
  expect(found('ana')).toEqual([])
  expect(found('git')).toEqual([])
  expect(found('backend', ['Backend-1'])).toEqual(['backend-2'])
})

test('after a slash the projects of that machine are suggested, by its name or an alias', () => {
  expect(found('backend-1/')).toEqual(['backend-1/billing', 'backend-1/books'])
  expect(found('api/bo')).toEqual(['api/books'])
  expect(found('backend-2/')).toEqual([])
})

test('a suggestion describes the name', () => {
  const noteOf = (word: string) => suggestions(directory, word, [], 'ana')[0]!.note
  expect(noteOf('api')).toBe('alias of backend-1')
  expect(noteOf('sean')).toBe('machine owned by sean')
  expect(noteOf('back')).toBe('group of 4: backend-1, backend-2, ana, …')
  expect(noteOf('backend-1/b')).toBe('project with 2 sessions')
})

test('the word at the caret is replaced, and the list can be continued after it', () => {
  const text = 'ana, ba, sean'
  const word = wordAt(text, 7)
  expect(word).toEqual({ start: 5, end: 7, text: 'ba' })
  expect(completed(text, word, 'backend-1')).toEqual({ text: 'ana, backend-1, sean', caret: 16 })
  expect(completed('b', wordAt('b', 1), 'back')).toEqual({ text: 'back, ', caret: 6 })
  expect(wordAt('ana, ', 5).text).toBe('')
})

test('addresses are separated by commas, semicolons or spaces, and each counts once', () => {
  expect(addressesIn(' ana,backend-1/billing; ana  sean ,,')).toEqual(['ana', 'backend-1/billing', 'sean'])
  expect(addressesIn('  ')).toEqual([])
})
