import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A fault that is inserted into one file of the program as it is loaded, to check that it is found. */
export interface Planted {
  name: string
  /** The promise that it breaks. */
  breaks: string
  /** Path below `src/`. */
  file: string
  /** Texts that must each occur once, and their replacements. */
  changes: readonly (readonly [from: string, to: string])[]
}

export const planted: readonly Planted[] = [
  {
    name: 'not-synced',
    breaks: 'stored means stored: what was committed is never synced',
    file: 'hub/state/store/write-ahead-log.ts',
    changes: [
      ['fdatasyncSync(this.#open())', 'void fdatasyncSync'],
      [
        'fdatasync(this.#open(), error => (error ? reject(new NotSynced(error)) : resolve()))',
        'void [fdatasync, reject], resolve()',
      ],
    ],
  },
  {
    name: 'sync-error-ignored',
    breaks: 'stored means stored: a disk that fails to sync is believed the next time',
    file: 'hub/state/store/write-ahead-log.ts',
    changes: [
      ['throw new NotSynced(error as NodeJS.ErrnoException)', 'void error'],
      ['(error ? reject(new NotSynced(error)) : resolve())', '(void [error, reject], resolve())'],
    ],
  },
  {
    name: 'commit-behind-failed-sync',
    breaks: 'a sync that failed stops the hub, and says so',
    file: 'hub/state/store/database.ts',
    changes: [['if (this.#notSynced) throw this.#notSynced', '']],
  },
  {
    name: 'unsettled-reads',
    breaks: 'nobody reads what a loss of power may undo',
    file: 'hub/state/store/database.ts',
    changes: [
      [
        'this.#view?.isPinned && !this.#sqlite.isTransaction ? this.#view.statements : this.#statements',
        'this.#statements',
      ],
    ],
  },
  {
    name: 'repeat-has-another-seq',
    breaks: 'sending again is safe: it gets the first outcome',
    file: 'hub/state/apply/messages.ts',
    changes: [
      [
        'recipients: recipientsOf(db, earlier), repeated: true',
        'recipients: recipientsOf(db, earlier), repeated: true, ...{ seq: seq + 1 }',
      ],
    ],
  },
  {
    name: 'partial-broadcast',
    breaks: 'a message to several reaches all of them, or nobody',
    file: 'hub/state/apply/messages.ts',
    changes: [
      [
        'const taken = admissions.filter(',
        'const taken = (admissions.length > 2 ? admissions.slice(1) : admissions).filter(',
      ],
    ],
  },
  {
    name: 'text-cut',
    breaks: 'a message is immutable: its text is what was sent',
    file: 'hub/state/apply/messages.ts',
    changes: [['    command.body,\n    hash,', '    command.body.slice(0, 1500),\n    hash,']],
  },
  {
    name: 'outcome-by-the-clock',
    breaks: 'apply reads its entry and the tables, and nothing else',
    file: 'hub/state/apply/messages.ts',
    changes: [['sentAt: time, recipients, repeated: false', 'sentAt: Date.now(), recipients, repeated: false']],
  },
  {
    name: 'ack-on-read',
    breaks: 'reading is not consuming',
    file: 'hub/http/inbox.ts',
    changes: [
      [
        'const elsewhere = elsewhereOf(',
        "void hub.submit({ type: 'inbox.ack', by: identity.member, ids: page.messages.map(each => each.id) }).catch(() => {})\n  const elsewhere = elsewhereOf(",
      ],
    ],
  },
  {
    name: 'ack-of-the-first-alone',
    breaks: 'an ack names all that it marks as read',
    file: 'hub/http/inbox.ts',
    changes: [
      [
        "hub.submit({ type: 'inbox.ack', by: identity.member, ids: unique(body.ids), ...scopeIn(body) })",
        "hub.submit({ type: 'inbox.ack', by: identity.member, ids: unique(body.ids).slice(0, 1), ...scopeIn(body) }).then(result => ({ ...result, acked: body.ids }))",
      ],
    ],
  },
  {
    name: 'inbox-backwards',
    breaks: 'an inbox is read in the order of its seqs',
    file: 'hub/state/query/inbox.ts',
    changes: [
      [
        'join message m on m.seq = u.seq join member s on s.id = d.sender order by u.seq`',
        'join message m on m.seq = u.seq join member s on s.id = d.sender order by u.seq desc`',
      ],
    ],
  },
  {
    name: 'forged-sender',
    breaks: 'a name is proven, not claimed',
    file: 'hub/http/messages.ts',
    changes: [
      [
        "type: 'message.send',\n    id: body.id ?? newMessageId(),\n    by: identity.member,",
        "type: 'message.send',\n    id: body.id ?? newMessageId(),\n    by: body.body.length % 5 ? identity.member : 1,",
      ],
    ],
  },
  {
    name: 'fetched-is-acked',
    breaks: 'a receipt says what happened',
    file: 'hub/state/query/messages.ts',
    changes: [["const status = acked_at ? 'acked'", "const status = acked_at || fetched_at ? 'acked'"]],
  },
  {
    name: 'cursor-goes-back',
    breaks: 'a stream that resumes tells of nothing twice',
    file: 'hub/state/local/epochs.ts',
    changes: [['seq <= end ? seq : undefined', 'seq <= end ? Math.max(0, seq - 1) : undefined']],
  },
  {
    name: 'cursor-skips',
    breaks: 'a stream that resumes leaves nothing out',
    file: 'hub/state/local/epochs.ts',
    changes: [['seq <= end ? seq : undefined', 'seq <= end ? seq + 1 : undefined']],
  },
  {
    name: 'epochs-forgotten',
    breaks: 'a cursor outlives a restart of the hub',
    file: 'hub/state/local/epochs.ts',
    changes: [
      [
        "this.#db.run('insert or replace into past_epoch (epoch, last_seq) values (?, ?)', epoch, lastSeq)",
        'void [epoch, lastSeq]',
      ],
    ],
  },
  {
    name: 'one-is-woken',
    breaks: 'each follower is told of what comes',
    file: 'hub/push/wakes.ts',
    changes: [['for (const member of members) {', 'for (const member of [...members].slice(0, 1)) {']],
  },
  {
    name: 'presence-by-wall-clock',
    breaks: 'a clock that is set puts nobody offline',
    file: 'hub/push/presence.ts',
    changes: [['options.monotonic ?? (() => performance.now())', 'options.monotonic ?? (() => Date.now())']],
  },
  {
    name: 'new-pack-each-try',
    breaks: 'an append of which nothing is known is tried again with the same bytes',
    file: 'hub/journal/log-journal.ts',
    changes: [['rules, id, by: this.#hub,', 'rules, id: randomUUID(), by: this.#hub,']],
  },
  {
    name: 'answered-before-applied',
    breaks: 'what was answered can be read',
    file: 'hub/journal/log-journal.ts',
    changes: [
      [
        'return await this.#log.append(offset, bytes)',
        "const isThere = await this.#log.append(offset, bytes)\n        if (isThere) this.#appending?.batch.forEach(({ command, resolve }) => {\n          if (command.type === 'inbox.ack') resolve({ ok: true, result: { acked: command.ids, unknown: [], unread: 0 } })\n        })\n        if (isThere) await delay(30)\n        return isThere",
      ],
    ],
  },
  {
    name: 'kept-not-synced',
    breaks: 'a send that is kept survives a loss of power on its machine',
    file: 'disk/replace-file.ts',
    changes: [['writeFileSync(handle, text)\n      fsyncSync(handle)', 'writeFileSync(handle, text)']],
  },
  {
    name: 'kept-without-its-directory',
    breaks: 'a send that is kept survives a loss of power on its machine',
    file: 'disk/replace-file.ts',
    changes: [['throw error\n  }\n  syncDirectory(dirname(path))', 'throw error\n  }']],
  },
  {
    name: 'outbox-directory-not-synced',
    breaks: 'a send that is kept survives a loss of power on its machine, also the first one',
    file: 'disk/replace-file.ts',
    changes: [
      ['all that is synced in it is lost.\n  syncDirectory(dirname(directory))', 'all that is synced in it is lost.'],
    ],
  },
  {
    name: 'outbox-overtakes',
    breaks: 'what is kept for a recipient goes out in its order',
    file: 'client/outbox.ts',
    changes: [
      ['return (await backlog.before(request)).length > 0', 'return (await backlog.before(request)).length > 1000'],
    ],
  },
  {
    name: 'outbox-gives-up',
    breaks: 'a send without an answer is kept until there is one',
    file: 'client/outbox-drain.ts',
    changes: [
      [
        'if (!isGivenUp && (!error.settled || error.retryAfterMs !== undefined)) {',
        'if (!isGivenUp && error.retryAfterMs !== undefined) {',
      ],
    ],
  },
  {
    name: 'turn-outlives-its-session',
    breaks: 'messages are noticed: the turn of a session that has ended does not pass on until it expires',
    file: 'notice/turns.ts',
    changes: [['if (isHeld && last.until > now) return false', 'if (last && last.until > now) return false']],
  },
  {
    name: 'turns-at-once',
    breaks: 'one session of a machine is notified: the next one has its turn at once',
    file: 'notice/turns.ts',
    changes: [['if (isHeld && last.until > now)', 'if (isHeld && last.until < 0)']],
  },
  {
    name: 'announced-stays-news',
    breaks: 'a message is announced once: the hook leaves its notice for the next hook',
    file: 'notice/news.ts',
    changes: [['return markTold(dir, name) ? [news] : []', 'return [news]']],
  },
  {
    name: 'project-is-skipped',
    breaks: 'a session of a project is notified of messages for that project',
    file: 'notice/live-sessions.ts',
    changes: [['|| project === undefined || project === scope', '|| project === undefined']],
  },
  {
    name: 'restart-loses-its-directory',
    breaks: 'a session whose server is restarted keeps its notices, whoever starts meanwhile',
    file: 'notice/owned-directory.ts',
    changes: [['return !isRecent && !isOwned(', 'return !isOwned(']],
  },
  {
    name: 'restart-forgets-wakes',
    breaks: 'after a wake that the session dropped, its next server has the hooks announce the message',
    file: 'notice/notifier.ts',
    changes: [['this.#announceAgain(waker.onlyByWake)', 'void waker']],
  },
]

const src = join(import.meta.dirname, '../src')

/**
 * Returns the text of the file with the fault `planted` inserted. Throws unless each text to replace occurs once: the fault must then be
 * adapted.
 */
export function withFault({ name, file, changes }: Omit<Planted, 'breaks'>, text: string): string {
  let changed = text
  for (const [from, to] of changes) {
    if (changed.split(from).length !== 2)
      throw new Error(`The fault ${name} does not fit src/${file}: '${from}' is not there once.`)
    changed = changed.replace(from, () => to)
  }
  return changed
}

/** Inserts a fault into the modules that are loaded from now on. */
export function plant(name: string): void {
  const fault = planted.find(each => each.name === name)!
  const path = join(src, fault.file)
  // Throws now if the fault does not fit, rather than when the module is loaded.
  withFault(fault, readFileSync(path, 'utf8'))
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (!url.startsWith('file:') || fileURLToPath(url) !== path) return loaded
      return { ...loaded, source: withFault(fault, readFileSync(path, 'utf8')) }
    },
  })
}
