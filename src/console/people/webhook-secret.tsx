import { CopyLine } from '../ui/copy.tsx'

/** What a webhook is called with, shown this once: it lies nowhere but in the dialog that is open. */
export function WebhookSecret({
  url,
  path,
  signingSecret,
  goesOnUntil,
  hint,
}: {
  url?: string | undefined
  path?: string | undefined
  signingSecret?: string | undefined
  /** After a rotation: how long the ones of before go on. */
  goesOnUntil?: string | null | undefined
  hint: string
}) {
  const address = url ?? (path === undefined ? undefined : location.origin + path)
  return (
    <div class="stack">
      <p>{hint}</p>
      {address !== undefined && (
        <div class="field">
          <span class="label">URL</span>
          <CopyLine text={address} label="the URL" />
          {url === undefined && (
            <p class="hint">
              The hub does not know under which address others reach it: this is the one of this page. <code>url</code>{' '}
              in hub.json says it.
            </p>
          )}
        </div>
      )}
      {signingSecret !== undefined && (
        <div class="field">
          <span class="label">Signing secret</span>
          <CopyLine text={signingSecret} label="the signing secret" />
        </div>
      )}
      <p class="hint">
        Both are shown this once; the hub cannot show them again, only make new ones.
        {goesOnUntil && ` The ones of before go on until ${new Date(goesOnUntil).toTimeString().slice(0, 5)}.`}
      </p>
    </div>
  )
}
