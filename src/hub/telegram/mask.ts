/** Patterns of credentials, with their names. Telegram is not end-to-end encrypted, and a phone shows previews. */
const secrets: [name: string, pattern: RegExp][] = [
  ['Claude Net token', /clnt_[mhbar]_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}/g],
  ['bot token', /\b\d{6,12}:[\w-]{30,}/g],
  ['private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g],
  ['AWS key', /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g],
  ['GitHub token', /\b(?:gh[opsur]_[0-9A-Za-z]{36,}|github_pat_\w{22,})/g],
  ['API key', /\bsk-[\w-]{20,}/g],
  ['Slack token', /\bxox[abeoprs]-[\w-]{10,}/g],
  ['bearer token', /(?<=\bBearer +)[\w.~+/-]{20,}=*/gi],
]

/** Returns `text` with anything that looks like a credential replaced by its kind. */
export function maskSecrets(text: string): string {
  return secrets.reduce((masked, [name, pattern]) => masked.replace(pattern, `[${name} withheld]`), text)
}
