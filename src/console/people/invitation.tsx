import { useComputed, useSignal } from '@preact/signals'
import type { AddressesAnswer } from '../../protocol/addresses.ts'
import type { InviteAnswer } from '../../protocol/members.ts'
import { largestUnit } from '../../text/spans.ts'
import { call } from '../api.ts'
import { who } from '../session.ts'
import { CopyLine } from '../ui/copy.tsx'
import { Check, Field, Select } from '../ui/field.tsx'
import { Loaded } from '../ui/states.tsx'
import { now, Time } from '../ui/time.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { joinAddresses, joinLineOf } from './join-ways.ts'
import { Qr } from './qr.tsx'

/** Value of the choice that opens the field for a typed address. */
const another = 'another'

/** The result of an invitation or a rotation: the line to run on the machine, to copy or to scan. Its code is shown nowhere else. */
export function Invitation({ made, isRotation = false }: { made: InviteAnswer; isRotation?: boolean }) {
  const known = useAsk(signal => call('addresses', { signal }), [])
  return (
    <div class="stack">
      <p>
        {isRotation
          ? `Run this on ${made.name}, once. Its current token stays valid for 10 minutes after that.`
          : made.renewed
            ? `${made.name} is a member already: its inbox stays, and its old token ends when this line is run.`
            : `${made.name} is a member now and can receive messages. Run this on its machine, once.`}
      </p>
      <Loaded asked={known} what="the address of the hub">
        {addresses => <Line made={made} known={addresses} />}
      </Loaded>
      <Expiry at={made.expiresAt} />
    </div>
  )
}

function Line({ made, known }: { made: InviteAnswer; known: AddressesAnswer }) {
  const choices = joinAddresses({ ...known, url: who.value?.url, here: location.origin })
  const address = useSignal(choices[0]?.origin ?? another)
  const typed = useSignal('')
  const via = useSignal('')
  const plain = useSignal(false)
  // With no address, or none that is certain to work, the choice is opened.
  const isOpen = useSignal(choices[0] === undefined || choices[0].warning !== undefined)
  const line = useComputed(() => {
    const chosen = address.value === another ? typed.value : address.value
    // The ssh host may see the hub at another address than this page.
    const behind = via.value.trim() === '' ? chosen : typed.value
    return joinLineOf(made, { address: behind, via: via.value.trim(), plain: plain.value }, known.port)
  })
  const wrong = 'wrong' in line.value ? line.value : undefined
  const isBySsh = via.value.trim() !== ''
  const warning = isBySsh ? undefined : choices.find(({ origin }) => origin === address.value)?.warning
  return (
    <>
      {wrong ? (
        <p class="state hint">
          There is no line yet:{' '}
          {wrong.wrong === 'via' ? 'look at the host for ssh' : 'say where the machine finds the hub'}.
        </p>
      ) : (
        'command' in line.value && (
          <div class="invitation">
            <CopyLine text={line.value.command} label="the join line" secret />
            <Qr text={line.value.command} label="The join line as a QR code" />
          </div>
        )
      )}
      <details class="more" open={isOpen.value} onToggle={event => (isOpen.value = event.currentTarget.open)}>
        <summary>Another way to the hub</summary>
        <div class="stack">
          {!isBySsh && (
            <Select
              label="Where the machine finds the hub"
              value={address.value}
              onInput={value => (address.value = value)}
              options={[
                ...choices.map(({ origin, about }) => [origin, `${origin}: ${about}`] as const),
                [another, 'Another address…'],
              ]}
            />
          )}
          {(address.value === another || isBySsh) && (
            <Field
              label={isBySsh ? 'Where the hub answers on that host' : 'Address'}
              value={typed.value}
              onInput={value => (typed.value = value)}
              placeholder={isBySsh ? 'http://localhost:3500' : 'http://10.0.3.1:3500'}
              error={wrong?.wrong === 'address' && typed.value !== '' ? wrong.why : undefined}
            />
          )}
          <Field
            label="Host that the machine goes through by ssh"
            hint="For a machine that does not reach the hub by itself."
            value={via.value}
            onInput={value => (via.value = value)}
            placeholder="none"
            error={wrong?.wrong === 'via' ? wrong.why : undefined}
          />
          <Check
            label="A line for a curl without TLS"
            hint="Others on the machine and on the way can read its code."
            checked={plain.value}
            onInput={value => (plain.value = value)}
          />
        </div>
      </details>
      {warning !== undefined && <p class="warn-words">{warning}</p>}
      {'command' in line.value && <p class="hint">{proofInWords(line.value.pins, plain.value, made)}</p>}
    </>
  )
}

function proofInWords(pins: boolean, plain: boolean, { hubKey }: InviteAnswer): string {
  if (pins) return 'The line carries the hub’s key: the machine tells its code to this hub alone.'
  if (plain) return 'The line carries no key: whoever is on the way can answer in the hub’s place.'
  if (hubKey === undefined) return 'The hub has no key: whoever is on the way can answer in its place.'
  return 'The machine verifies the certificate of what stands at that address.'
}

function Expiry({ at }: { at: string }) {
  const left = Date.parse(at) - now.value
  if (left <= 0) return <p class="warn-words">The code has expired. Close this and make another.</p>
  return (
    <p class="hint">
      It can be used once, for another {largestUnit(left)}: until <Time at={at} as="clock" />.
    </p>
  )
}
