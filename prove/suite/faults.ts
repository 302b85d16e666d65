/** A small fault, put into a copy of the source: a promise is broken by it, and some test has to say so. */
export interface Fault {
  name: string
  /** What it breaks, as a user would say it. */
  promise: string
  /** Below `src/`. */
  file: string
  /** Text of that file, which stands there once, and what is put in its place. */
  find: string
  put: string
  /** The files of tests, one of which has to turn red. */
  tests: string[]
}

/** One for each promise; the numbers of the README and of docs/protocol.md stand in none of them, only behaviour. */
export const faults: readonly Fault[] = [
  {
    name: 'no sync of the log',
    promise: 'A confirmed message survives a loss of power.',
    file: 'hub/state/store/write-ahead-log.ts',
    find: 'fdatasyncSync(',
    put: '((_: number) => {})(',
    tests: ['src/hub/state/sync.test.ts'],
  },
  {
    name: 'no sync of a batch',
    promise: 'A confirmed message survives a loss of power.',
    file: 'hub/state/store/write-ahead-log.ts',
    find: '      fdatasync(this.#open(), error => (error ? reject(new NotSynced(error)) : resolve()))',
    put: '      void [fdatasync, reject]\n      resolve()',
    tests: ['src/hub/state/sync.test.ts', 'test/power-loss.test.ts'],
  },
  {
    name: 'answered before it is on disk',
    promise: 'A confirmed message is on disk.',
    file: 'hub/journal/local.ts',
    find: `    try {
      await this.#state.settle()`,
    put: `    try {
      this.#answer(applied)
      await this.#state.settle()`,
    tests: ['test/settling.test.ts', 'test/power-loss.test.ts'],
  },
  {
    name: 'kept messages are not synced',
    promise: 'A message that waits in the outbox survives a loss of power.',
    file: 'disk/replace-file.ts',
    find: `      writeFileSync(handle, text)
      fsyncSync(handle)`,
    put: '      writeFileSync(handle, text)',
    tests: ['src/disk'],
  },
  {
    name: 'the directory of kept messages is not synced',
    promise: 'A message that waits in the outbox survives a loss of power.',
    file: 'disk/replace-file.ts',
    find: '  syncDirectory(dirname(path))\n}\n\n/** Makes what was written',
    put: '}\n\n/** Makes what was written',
    tests: ['src/disk'],
  },
  {
    name: 'the same id is stored again',
    promise: 'Sending again is safe.',
    file: 'hub/state/apply/messages.ts',
    find: '  if (earlier) return repeatSend(db, command, hash, earlier)\n',
    put: '  if (earlier && !hash.equals(earlier.hash)) return repeatSend(db, command, hash, earlier)\n',
    tests: ['test/journal.test.ts', 'test/hub-api.test.ts'],
  },
  {
    name: 'an id is bound to its sender alone',
    promise: 'The same id with another content is a conflict.',
    file: 'hub/state/apply/messages.ts',
    find: 'if (earlier.sender !== command.by || !isSame) {',
    put: 'if (earlier.sender !== command.by || !(isSame || hash.length > 0)) {',
    tests: ['test/journal.test.ts'],
  },
  {
    name: 'the outbox sends the newest first',
    promise: 'Messages to one recipient arrive in the order in which they were sent.',
    file: 'client/kept.ts',
    find: '      .sort()\n',
    put: '      .sort()\n      .reverse()\n',
    tests: ['src/client', 'test/outbox.test.ts'],
  },
  {
    name: 'a kept message goes out before it has an answer',
    promise: 'What waits is never lost.',
    file: 'client/outbox.ts',
    find: "      const answer = await this.#post(request, { [keptHeader]: '1' })",
    put: "      this.#forget(file, id)\n      const answer = await this.#post(request, { [keptHeader]: '1' })",
    tests: ['src/client', 'test/outbox.test.ts', 'test/drainer.test.ts'],
  },
  {
    name: 'reading consumes',
    promise: 'A message stays unread until it is acked.',
    file: 'hub/state/apply/inbox.ts',
    find: '  const { known: fetched, unknown } = split(command.ids, found)\n',
    put: '  settleUnread(db, command.by, open)\n  const { known: fetched, unknown } = split(command.ids, found)\n',
    tests: ['test/hub-api.test.ts', 'test/model.test.ts', 'test/mcp-stdio.test.ts'],
  },
  {
    name: 'an ack is taken again',
    promise: 'An ack is idempotent.',
    file: 'hub/state/apply/inbox.ts',
    find: `  const open = found.filter(({ settled }) => !settled)
  if (open.length > 0) {`,
    put: `  const open = found
  if (open.length > 0) {`,
    tests: ['test/hub-api.test.ts', 'test/model.test.ts', 'test/journal.test.ts'],
  },
  {
    name: 'a session is told after the ack, not before',
    promise: 'A reply that is lost on its way to Claude never eats a message.',
    file: 'mcp/read-state.ts',
    find: `    const timer = setTimeout(() => this.#confirm(), settleMs)
    this.#unconfirmed.set(request, { ids: answer.shown, timer })`,
    put: `    const timer = setTimeout(() => this.#confirm(), settleMs)
    this.#unconfirmed.set(request, { ids: answer.shown, timer })
    this.#confirm()`,
    tests: ['src/mcp'],
  },
  {
    name: 'inbox --ack acks before it prints',
    promise: 'What was acked was given to somebody.',
    file: 'cli/inbox.ts',
    find: '        await printWhole({ json }, answer,',
    put: `        if (ack && answer.messages.length > 0)
          await client.call(api.ackInbox, { body: { ids: answer.messages.map(({ id }) => id), project } })
        await printWhole({ json }, answer,`,
    tests: ['test/cli.test.ts', 'test/cli-text.test.ts', 'test/cut-answers.test.ts'],
  },
  {
    name: 'a page of an inbox has no order',
    promise: 'An inbox is read in the order of the journal.',
    file: 'hub/state/query/inbox.ts',
    find: 'join message m on m.seq = u.seq join member s on s.id = d.sender order by u.seq`,',
    put: 'join message m on m.seq = u.seq join member s on s.id = d.sender order by u.seq desc`,',
    tests: ['test/journal.test.ts', 'test/hub-api.test.ts'],
  },
  {
    name: 'an unknown name is left out',
    promise: 'A typo is an error, never a phantom inbox, and nothing is sent.',
    file: 'hub/state/apply/messages.ts',
    find: "  if (unknown.length > 0) return refuse('not_found', { code: 'no_recipients', names: unknown })\n",
    put: '',
    tests: ['test/hub-api.test.ts', 'test/members.test.ts'],
  },
  {
    name: 'any token is good',
    promise: 'The sender is the owner of the token.',
    file: 'hub/auth/identify.ts',
    find: 'const matches = sameHash(hashToken(token), (stored ?? before)?.hash ?? nobody)',
    put: 'const matches = sameHash(hashToken(token), (stored ?? before)?.hash ?? nobody) || stored !== undefined',
    tests: ['src/hub/auth', 'test/door.test.ts', 'test/hub-api.test.ts'],
  },
  {
    name: 'a revoked token goes on',
    promise: 'A token that was revoked stops counting at once.',
    file: 'hub/auth/identify.ts',
    find: `    hub.onRevoked(tokenId => {
      this.#proven.clear()`,
    put: '    hub.onRevoked(tokenId => {',
    tests: ['src/hub/auth'],
  },
  {
    name: 'a held text is shown to the agent',
    promise: 'What is held is for the user alone.',
    file: 'cli/withheld.ts',
    find: "return message.held && isAgent ? { ...message, body: '' } : message",
    put: 'return message.held && isAgent ? { ...message } : message',
    tests: ['test/policy.test.ts', 'test/cli.test.ts', 'test/untrusted-text.test.ts'],
  },
  {
    name: 'refuse takes mail',
    promise: 'Who refuses mail gets none.',
    file: 'hub/state/apply/admission.ts',
    find: "  if (inbound === 'refuse' && id !== sender) return { code: 'takes_none' }\n",
    put: '',
    tests: ['test/policy.test.ts'],
  },
  {
    name: 'a brake stops nobody',
    promise: 'Two machines that only keep each other busy are stopped for a while.',
    file: 'hub/state/apply/admission.ts',
    find: "  if (brake) return { code: 'braked', ...brake }\n",
    put: '',
    tests: ['test/loop-brake.test.ts', 'src/hub'],
  },
  {
    name: 'bytes of an inbox have no bound',
    promise: 'An inbox holds 64 MiB at most.',
    file: 'hub/state/apply/room.ts',
    find: 'return Math.max((unread * 100) / inboxMessages, (bytes * 100) / inboxBytes)',
    put: 'return (unread * 100) / inboxMessages + bytes * 0 * inboxBytes',
    tests: ['src/hub/state/apply', 'test/limits.test.ts'],
  },
  {
    name: 'an ack gives no bytes back',
    promise: 'An inbox that was read has room again.',
    file: 'hub/state/apply/room.ts',
    find: `       (select sum(octet_length(body)) from message where seq in (select value from json_each(?3)))
     where id = ?1\`,`,
    put: `       0 * (select sum(octet_length(body)) from message where seq in (select value from json_each(?3)))
     where id = ?1\`,`,
    tests: ['src/hub/state/apply', 'test/replay.test.ts'],
  },
  {
    name: 'an answered question does not ack',
    promise: 'A reply acks what it answers.',
    file: 'hub/state/apply/messages.ts',
    find: '    const { senders } = ackDeliveries(db, { seq, time }, command.by, [command.replyTo], command.fromProject)\n',
    put: '    const senders: number[] = []\n',
    tests: ['test/hub-api.test.ts', 'test/model.test.ts', 'test/mcp-stdio.test.ts'],
  },
  {
    name: 'any message can be answered',
    promise: 'Only who wrote or was sent a message can answer it.',
    file: 'hub/state/apply/messages.ts',
    find: 'if (command.replyTo !== undefined && command.mustKnowReply && !answered)',
    put: 'if (command.replyTo !== undefined && command.mustKnowReply && !answered && command.body.length < 0)',
    tests: ['test/hub-api.test.ts', 'src/hub/state/apply'],
  },
  {
    name: 'what has expired stays unread',
    promise: 'Mail that has an end expires.',
    file: 'hub/state/apply/clock.ts',
    find: '      settleUnread(db, member, [{ seq: message.seq, project }])\n',
    put: '',
    tests: ['src/hub/state/apply', 'test/model.test.ts'],
  },
  {
    name: 'unread texts are deleted',
    promise: 'Unread mail never goes.',
    file: 'hub/state/apply/retention.ts',
    find: 'max(case when acked_at is null and expired_at is null then ?',
    put: 'max(case when acked_at is null and expired_at is null then 0 * ?',
    tests: ['src/hub/state/apply'],
  },
  {
    name: 'later mail is delivered twice',
    promise: 'Later mail is delivered once.',
    file: 'hub/state/apply/deliver-later.ts',
    find: "  db.run('delete from later where id = ?', id)\n",
    put: '',
    tests: ['src/hub/state/apply', 'test/later.test.ts'],
  },
  {
    name: 'cancelled later mail goes out',
    promise: 'Later mail that was cancelled is not delivered.',
    file: 'hub/state/apply/deliver-later.ts',
    find: 'where id = ? and ended is null and due_steady <= ?',
    put: 'where id = ? and due_steady <= ?',
    tests: ['src/hub/state/apply', 'test/later.test.ts'],
  },
  {
    name: 'an event comes twice',
    promise: 'A stream tells of each message once.',
    file: 'hub/push/follow.ts',
    find: '      if (news.seq <= after) continue\n',
    put: '',
    tests: ['src/hub/push', 'test/event-delivery.test.ts'],
  },
  {
    name: 'a stream has a gap between backlog and live',
    promise: 'A stream misses no message.',
    file: 'hub/push/wakes.ts',
    find: 'if (news === undefined || this.#news.length >= maxKept) this.readAgain()',
    put: 'if (news === undefined) this.readAgain()\n    else if (this.#news.length >= maxKept) return',
    tests: ['src/hub/push', 'test/event-delivery.test.ts'],
  },
  {
    name: 'cursors of another history count',
    promise: 'After a restore no reader skips what is unread.',
    file: 'hub/state/local/epochs.ts',
    find: `    const end = epoch === this.#current ? newest : this.#past.get(epoch)
    return end !== undefined && seq <= end ? seq : undefined`,
    put: `    const end = epoch === this.#current ? newest : (this.#past.get(epoch) ?? newest)
    return end !== undefined && seq <= end ? seq : undefined`,
    tests: ['test/restore.test.ts', 'test/put-back.test.ts', 'src/hub/push'],
  },
  {
    name: 'a restore keeps the epoch',
    promise: 'After a restore no reader skips what is unread.',
    file: 'hub/keeping/new-history.ts',
    find: "  db.prepare('update position set epoch = ?').run(newEpoch())\n",
    put: '  newEpoch()\n',
    tests: ['test/restore.test.ts', 'test/tails.test.ts'],
  },
  {
    name: 'join codes of a backup can be used again',
    promise: 'A restore makes join codes void.',
    file: 'hub/keeping/new-history.ts',
    find: 'for (const table of madeVoid) if (hasTable(db, table)) ',
    put: 'for (const table of madeVoid) if (!hasTable(db, table)) ',
    tests: ['test/restore.test.ts'],
  },
  {
    name: 'checkpoints go on while a backup copies',
    promise: 'A backup is one moment of the store.',
    file: 'hub/keeping/backups.ts',
    find: 'const resume = await hub.reader.whileIdle(() => hub.state.db.holdCheckpoints())',
    put: 'const resume = await hub.reader.whileIdle(() => () => {})',
    tests: ['test/backup.test.ts'],
  },
  {
    name: 'the watchdog is fed without a write',
    promise: 'systemd restarts a hub that does not store any more.',
    file: 'hub/supervisor.ts',
    find: `      await probe()
      await this.#tell('WATCHDOG=1',`,
    put: `      void probe
      await this.#tell('WATCHDOG=1',`,
    tests: ['test/service.test.ts', 'test/disk.test.ts', 'src/hub'],
  },
  {
    name: 'the store is not checked at the start',
    promise: 'A damaged store is found at the start.',
    file: 'hub/serve.ts',
    find: '    if (shouldCheck) checkStore(hub.state.db)\n',
    put: '    void checkStore\n',
    tests: ['test/disk.test.ts'],
  },
  {
    name: 'a control character reaches the terminal',
    promise: 'Text of others cannot act in a terminal, nor pass for ours.',
    file: 'text/visible.ts',
    find: '.replace(hidden(), char => `',
    put: '.replace(/\\u202e/g, char => `',
    tests: ['src/text', 'test/untrusted-text.test.ts'],
  },
  {
    name: 'another key is as good',
    promise: 'A machine writes nothing to whoever cannot prove the key of its hub.',
    file: 'client/transport/pin.ts',
    find: "if (found === undefined || (pin !== 'any' && found !== pin)) return end(new WrongHub(pin, found))",
    put: 'if (found === undefined) return end(new WrongHub(pin, found))',
    tests: ['src/client/transport', 'test/pinned-hub.test.ts', 'test/tls.test.ts'],
  },
  {
    name: 'a session has another turn',
    promise: 'One session at a time is told of a message.',
    file: 'notice/turns.ts',
    find: '      if (last && last.until > now && live.some(({ session }) => session === last.session)) return false\n',
    put: '',
    tests: ['src/notice'],
  },
  {
    name: "another project's mail is acked",
    promise: 'A session acks the mail of its own project alone.',
    file: 'hub/state/apply/inbox.ts',
    find: '  return scope === undefined ? found : found.filter(({ project }) => isInScope(project, scope))\n',
    put: '  void [scope, isInScope]\n  return found\n',
    tests: ['src/hub/state/apply', 'test/projects.test.ts'],
  },
  {
    name: 'a token outlives its revocation in the store',
    promise: 'A revocation ends every token of a member.',
    file: 'hub/state/apply/people.ts',
    find: "  db.run('delete from token where member = ?', member.id)\n",
    put: '',
    tests: ['src/hub', 'test/members.test.ts'],
  },
  {
    name: 'a replaced token never ends',
    promise: 'A token that was renewed ends after its overlap.',
    file: 'hub/state/apply/tokens.ts',
    find: 'where ends_steady <= ?1 or limit_steady <= ?1 order by id`',
    put: 'where limit_steady <= ?1 order by id`',
    tests: ['src/hub', 'test/token-life.test.ts'],
  },
  {
    name: 'sends have no rate',
    promise: 'One token cannot flood the hub.',
    file: 'hub/http/limits.ts',
    find: '    const waitMs = (isSend ? this.#sends : this.#reads)?.take(tokenId)\n',
    put: '    const waitMs = (isSend ? undefined : this.#reads)?.take(tokenId)\n',
    tests: ['test/limits.test.ts'],
  },
  {
    name: 'wrong tokens are not counted',
    promise: 'Who tries tokens is slowed down.',
    file: 'hub/http/limits.ts',
    find: 'const waitMs = isGuess ? this.#wrongTokens?.take(client) : this.#wrongTokens?.waitMs(client)',
    put: 'const waitMs = isGuess ? 0 : this.#wrongTokens?.waitMs(client)',
    tests: ['test/limits.test.ts', 'test/door.test.ts'],
  },
  {
    name: 'answers that nobody reads have no bound',
    promise: 'A client that does not read cannot fill the memory of the hub.',
    file: 'hub/http/unread-answers.ts',
    find: '    if (bytes < this.#maxPerClient) return\n',
    put: '    if (bytes < this.#maxPerClient * 1e9) return\n',
    tests: ['src/hub/http', 'test/connections.test.ts'],
  },
  {
    name: 'a muted sender wakes the session',
    promise: 'Mail of a muted sender makes no event.',
    file: 'hub/state/apply/messages.ts',
    find: "    if (handling === 'mute') notTo.push(member)\n",
    put: '',
    tests: ['test/policy.test.ts', 'src/hub/push', 'test/event-delivery.test.ts'],
  },
  {
    name: 'a name is taken twice',
    promise: 'Names, aliases and groups share one list.',
    file: 'hub/state/apply/people.ts',
    find: "  if (taken && !own) return refuse('conflict', { code: 'name_taken', name: to, taken, wanted: 'name' })\n",
    put: '  void [taken, own]\n',
    tests: ['src/hub/state/apply', 'test/members.test.ts'],
  },
]
