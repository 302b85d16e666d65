import { enter, goOn, session, useLink } from './session.ts'
import { Button } from './ui/button.tsx'
import { Name } from './ui/name.tsx'
import { Failed, Loading } from './ui/states.tsx'
import { Text } from './ui/text.tsx'

/** The page without a session: how to log in, why a link failed, or that the hub does not respond. */
export function Entrance() {
  const now = session.value
  if (now.state === 'entering') return <Loading what="the console" />
  if (now.state === 'offline') return <Failed error={now.why} retry={enter} />
  if (now.state === 'choosing') return <Choice name={now.who.name} secret={now.secret} />
  if (now.state !== 'out') return null
  return (
    <section class="entrance">
      <h1>{now.over ? 'Your session has ended' : 'Open the console with a link'}</h1>
      {now.why && (
        <div class="state failed" role="alert">
          <p class="title">
            <Text>{now.why.message}</Text>
          </p>
          <p class="hint">
            <Text>{now.why.hint}</Text>
          </p>
        </div>
      )}
      <p>A link works once, within 10 minutes, and keeps this browser logged in for 12 hours. To get one:</p>
      <dl class="ways">
        <div>
          <dt>As the admin, on the hub’s host</dt>
          <dd>
            <code>sudo claude-net console</code>
          </dd>
        </div>
        <div>
          <dt>As a machine, on that machine</dt>
          <dd>
            <code>claude-net console --as-me</code>
          </dd>
        </div>
        <div>
          <dt>As a person with Telegram</dt>
          <dd>
            send <code>/console</code> to the bot in a private chat
          </dd>
        </div>
        <div>
          <dt>As a person without Telegram</dt>
          <dd>
            ask the admin to run <code>sudo claude-net console --as NAME</code>
          </dd>
        </div>
      </dl>
    </section>
  )
}

/** Asks before a link is used in a browser that has a session. The link stays unused until the reader confirms. */
function Choice({ name, secret }: { name: string; secret: string }) {
  return (
    <section class="entrance">
      <h1>Use this link?</h1>
      <p>
        You are logged in as <Name of={name} plain />. The link ends that session and logs you in as the member that it
        was created for. Use it only if you requested it.
      </p>
      <div class="actions">
        <Button look="main" onClick={goOn}>
          Stay as <Name of={name} plain />
        </Button>
        <Button onClick={() => useLink(secret)}>Use the link</Button>
      </div>
    </section>
  )
}
