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
            ? `${made.name} is already a member. Its inbox is kept; its old token stops working when this line is run.`
            : `${made.name} is a member now and can receive messages. Run this on its machine, once.`}
      </p>
      <Loaded asked={known} what="the addresses of the hub">
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
          No join line yet: {wrong.wrong === 'via' ? 'check the ssh host' : 'enter the address of the hub'}.
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
        <summary>Connection options</summary>
        <div class="stack">
          {!isBySsh && (
            <Select
              label="Hub address"
              value={address.value}
              onInput={value => (address.value = value)}
              options={[
                ...choices.map(({ origin, about }) => [origin, `${origin}: ${about}`] as const),
                [another, 'Other address…'],
              ]}
            />
          )}
          {(address.value === another || isBySsh) && (
            <Field
              label={isBySsh ? 'Hub address on that host' : 'Other address'}
              value={typed.value}
              onInput={value => (typed.value = value)}
              placeholder={isBySsh ? 'http://localhost:3500' : 'http://10.0.3.1:3500'}
              error={wrong?.wrong === 'address' && typed.value !== '' ? wrong.why : undefined}
            />
          )}
          <Field
            label="SSH host"
            hint="For a machine that reaches the hub only by ssh to this host."
            value={via.value}
            onInput={value => (via.value = value)}
            placeholder="none"
            error={wrong?.wrong === 'via' ? wrong.why : undefined}
          />
          <Check
            label="For a curl without TLS"
            hint="Other users of the machine, and anyone on the network path, can read the code."
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
  if (pins) return 'The line contains the hub’s key: the machine sends its code only to this hub.'
  if (plain) return 'The line contains no key: anyone on the network path can impersonate the hub.'
  if (hubKey === undefined) return 'The hub has no key: anyone on the network path can impersonate it.'
  return 'The machine verifies the certificate of the server at that address.'
}

function Expiry({ at }: { at: string }) {
  const left = Date.parse(at) - now.value
  if (left <= 0) return <p class="warn-words">The code has expired. Close this dialog and create another.</p>
  return (
    <p class="hint">
      The line works once, within the next {largestUnit(left)} (until <Time at={at} as="clock" />
      ).
    </p>
  )
}
