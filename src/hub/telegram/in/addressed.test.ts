import { expect, test } from 'vitest'
import { mentionIn, parseAddressed } from './addressed.ts'

const isName = (typed: string) => ['a', 'b', 'c-1', 'all'].includes(typed.replace(/^@/, '').toLowerCase())

test.for([
  ['a text', ['a'], 'text'],
  ['a: text', ['a'], 'text'],
  ['a:text', ['a'], 'text'],
  ['a\nover\ntwo lines', ['a'], 'over\ntwo lines'],
  ['a,b text', ['a', 'b'], 'text'],
  ['a, b: text', ['a', 'b'], 'text'],
  ['a , @B :\ntext', ['a', '@B'], 'text'],
  ['a, b, c-1: text, and more: of it', ['a', 'b', 'c-1'], 'text, and more: of it'],
  ['a, b text', ['a', 'b'], 'text'],
  ['a,x text', ['a', 'x'], 'text'],
  ['a, x: text', ['a', 'x'], 'text'],
  ['a 12:30, at the door', ['a'], '12:30, at the door'],
  ['a note: text', ['a'], 'note: text'],
  ['a https://x.example, y', ['a'], 'https://x.example, y'],
  ['a, see https://x.example', ['a'], 'see https://x.example', 'see'],
  ['a, please: wait', ['a', 'please'], 'wait'],
  ['a, x y z', ['a'], 'x y z', 'x'],
] as const)('%j is addressed to %j', ([text, names, body, doubt]) => {
  expect(parseAddressed(text, isName)).toEqual({ names, body, ...(doubt && { doubt }) })
})

test.for(['', 'a', 'a,', 'a, b', 'a:', ', text', ': text'])('%j has no text, or is for nobody', text => {
  expect(parseAddressed(text, isName)).toBe(undefined)
})

test.for([
  ['@bot a: text', '', 'a: text'],
  ['@Bot, a: text', '', 'a: text'],
  ['@bot\na: text', '', 'a: text'],
  ['hey @bot a: text', 'hey', 'a: text'],
  ['a: text @bot', 'a: text', ''],
  ['look (@bot) a: b', 'look (', ') a: b'],
  ['please /send@bot a text', 'please', 'a text'],
  ['mail@bot.example', undefined, undefined],
  ['@bots a: text', undefined, undefined],
  ['@@bot a', undefined, undefined],
] as const)('%j names the bot, or does not', ([text, before, behind]) => {
  expect(mentionIn(text, 'bot')).toEqual(before === undefined ? undefined : { before, behind })
})
