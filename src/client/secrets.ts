import { ClaudeNetError } from '../protocol/errors.ts'
import { parseToken } from '../protocol/token.ts'

/** A kind of secret that is recognized by its format. */
interface Shape {
  /** Name for people, with its article. */
  name: string
  /** Matches the secret: group 1, or the whole match without one. Global, so that all of a text is searched. */
  pattern: RegExp
  /** Decides whether a match is a secret. By default it is, unless it looks like a placeholder. */
  isSecret?: (secret: string) => boolean
}

/** The join code of the examples in README and docs. */
const documentedCode = '7Q2M-XK4T-B0ZD-91FH'

/** Boundaries of a token: it may not continue on either side, so that no part of a hash or of base64 matches. */
const before = '(?<![A-Za-z0-9_])'
const behind = '(?![A-Za-z0-9_-])'

function token(name: string, pattern: string): Shape {
  return { name, pattern: new RegExp(`${before}(?:${pattern})${behind}`, 'g') }
}

/**
 * The kinds of secrets that are found. Prefixes and lengths are from the default rules of gitleaks (v8,
 * https://github.com/gitleaks/gitleaks, MIT), only for kinds with a prefix of their own: rules that require a word such as
 * "password" nearby have too many false positives in prose.
 */
const shapes: readonly Shape[] = [
  {
    name: 'a Claude Net token',
    pattern: /clnt_[mha]_\w{8}_\w{43}_\w{6}/g,
    isSecret: text => parseToken(text) !== undefined,
  },
  {
    name: 'a Claude Net join code',
    pattern: /(?<![0-9A-Za-z-])(?:[0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}(?![0-9A-Za-z-])/g,
    isSecret: isJoinCode,
  },
  {
    name: 'a Claude Net join code',
    pattern: /\/join\/((?:[0-9a-z]{4}-){3}[0-9a-z]{4})(?![\w-])/gi,
    isSecret: isJoinCode,
  },
  {
    name: 'a private key',
    pattern: /-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----([\s\S]{40,600})/g,
    // A line of a key: quoted, indented, on one line with the rest, or with its line breaks written as \n.
    isSecret: body =>
      body
        .split(/-----END|[\s"'`,]|\\[nr]/)
        .some(word => /^[A-Za-z0-9+/]{40,}={0,2}$/.test(word) && !isPlaceholder(word)),
  },
  {
    // As kubectl and CI store it. The three alternatives are "PRIVATE KEY" at the three possible alignments of base64.
    name: 'a private key in base64',
    pattern:
      /LS0tLS1CRUdJTi[A-Za-z0-9+/]{0,40}(?:UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW)[A-Za-z0-9+/]{0,40}([A-Za-z0-9+/]{40})/g,
  },
  {
    name: 'a private key of PuTTY',
    pattern: /PuTTY-User-Key-File-\d:[\s\S]{1,4000}?Private-Lines: \d+\s+([A-Za-z0-9+/]{40})/g,
  },
  { name: 'a private key of WireGuard', pattern: /PrivateKey\s*=\s*([A-Za-z0-9+/]{43}=)/g },
  { name: 'a private key of age', pattern: /AGE-SECRET-KEY-1([02-9AC-HJ-NP-Z]{58})/g },
  token('an access key of AWS', '(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}'),
  {
    name: 'a secret key of AWS',
    pattern:
      /(?:aws_?secret_?|secret_?access_?)(?:access_?)?key["'\s]{0,3}[=:]["'\s]{0,3}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/gi,
  },
  token('a token of GitHub', 'gh[pousr]_([A-Za-z0-9]{36,255})'),
  token('a token of GitHub', 'github_pat_(\\w{82})'),
  token(
    'a token of GitLab',
    '(?:glpat|glptt|gldt|glrt|glcbt|glft|glsoat|glagent|glimt)-([\\w-]{20,64}(?:\\.[\\w.]{9,12})?)',
  ),
  token('a key of Anthropic', 'sk-ant-[a-z]{3,5}\\d\\d-([\\w-]{80,120})'),
  token('a key of OpenAI', 'sk-(?:(?:proj|svcacct|admin)-)?([\\w-]{20,80}T3BlbkFJ[\\w-]{20,80})'),
  token('a token of Slack', 'xox[abeoprs]-(?:[A-Za-z0-9]{1,14}-){1,4}([A-Za-z0-9]{16,100})'),
  token('a token of Slack', 'xapp-\\d-[A-Z0-9]{8,14}-\\d{8,14}-([a-z0-9]{32,100})'),
  {
    name: 'a webhook of Slack',
    pattern: /hooks\.slack\.com\/(?:services|workflows|triggers)\/([A-Za-z0-9+/]{43,58})/g,
  },
  { name: 'a webhook of Discord', pattern: /discord(?:app)?\.com\/api\/webhooks\/\d{17,20}\/([\w-]{60,80})/g },
  token('a token of a Telegram bot', '\\d{8,10}:(AA[\\w-]{33})'),
  token('a key of Stripe', '(?:sk|rk)_(?:live|test|prod)_([A-Za-z0-9]{10,99})'),
  token('a secret of Stripe', 'whsec_([A-Za-z0-9+/]{32,64}=?)'),
  token('a key of Google', 'AIza([\\w-]{35})'),
  token('a secret of Google', 'GOCSPX-([\\w-]{28})'),
  token('a token of Google', 'ya29\\.([\\w-]{60,500})'),
  { name: 'a client secret of Azure', pattern: /(?<![\w.~-])(\w{3}\dQ~[\w.~-]{31,34})(?![\w.~-])/g },
  { name: 'a key of an Azure account', pattern: /AccountKey=([A-Za-z0-9+/]{86}==)/g },
  token('a token of npm', 'npm_([A-Za-z0-9]{36})'),
  token('a token of PyPI', 'pypi-AgEIcHlwaS5vcmc([\\w-]{50,1000})'),
  token('a key of RubyGems', 'rubygems_([a-f0-9]{48})'),
  token('a token of crates.io', 'cio([A-Za-z0-9]{32})'),
  token('a token of Docker', 'dckr_(?:pat|oat)_([\\w-]{27,32})'),
  token('a token of Hugging Face', 'hf_([A-Za-z]{34})'),
  token('a token of DigitalOcean', 'do[opr]_v1_([a-f0-9]{64})'),
  token('a key of SendGrid', 'SG\\.([\\w-]{22}\\.[\\w-]{43})'),
  token('a token of Vault', 'hv[sb]\\.([\\w-]{90,300})'),
  token('a token of Terraform', '[A-Za-z0-9]{14}\\.atlasv1\\.([\\w-]{60,70})'),
  token('a token of Databricks', 'dapi([a-f0-9]{32})(?:-\\d)?'),
  token('a token of Doppler', 'dp\\.(?:pt|st|ct|sa|scim|audit)\\.([A-Za-z0-9.]{40,64})'),
  token('a token of Grafana', 'gl(?:sa|c)_([A-Za-z0-9+/]{32,400}(?:_[A-Fa-f0-9]{8})?={0,2})'),
  token('a key of Linear', 'lin_api_([A-Za-z0-9]{40})'),
  token('a token of Notion', 'ntn_([A-Za-z0-9]{40,60})'),
  token('a key of Postman', 'PMAK-([a-f0-9]{24}-[a-f0-9]{34})'),
  token('a token of Pulumi', 'pul-([a-f0-9]{40})'),
  token('a token of Shopify', 'shp(?:at|ca|pa|ss)_([A-Fa-f0-9]{32})'),
  token('a token of Square', 'sq0(?:atp|csp)-([\\w-]{22,43})'),
  token('a key of Tailscale', 'tskey-[a-z]+-([A-Za-z0-9]{8,20}-[A-Za-z0-9]{20,50})'),
  token('a token of Sentry', 'sntryu_([a-f0-9]{64})'),
  token('a token of Sentry', 'sntrys_(eyJ[\\w+/=-]{80,500})'),
  token('a token of Supabase', 'sbp_([a-f0-9]{40})'),
  token('a token of Atlassian', 'ATATT3([\\w=-]{180,200})'),
  token('a key of Heroku', 'HRKU-AA([\\w-]{58})'),
  token('a token of 1Password', 'ops_(eyJ[A-Za-z0-9+/=]{250,2000})'),
  {
    name: 'a signed web token (JWT)',
    pattern: /(?<![\w.-])ey[\w-]{15,}\.ey[\w-]{15,}\.([\w-]{20,})(?![\w-])/g,
    // The examples of jwt.io are in every tutorial.
    isSecret: signature =>
      !isPlaceholder(signature) && !/^(?:SflKxwRJSMeKKF2QT4f|TJVA95OrM7E2cBab30R|KMUFsIDTnFmyG3nMiGM)/.test(signature),
  },
]

/** Returns the kind of the first secret in `text` and its line, from 1 on; undefined if there is none. */
export function findSecret(text: string): { name: string; line: number } | undefined {
  let first: { name: string; at: number } | undefined
  for (const { name, pattern, isSecret = (secret: string) => !isPlaceholder(secret) } of shapes) {
    for (const match of text.matchAll(pattern)) {
      if (first && match.index >= first.at) break
      if (isSecret(match[1] ?? match[0])) first = { name, at: match.index }
    }
  }
  return first && { name: first.name, line: text.slice(0, first.at).split('\n').length }
}

/**
 * Throws `invalid` if `text` contains something that looks like a secret. The error names only its kind. It prevents accidents, not
 * intent: a secret can always be written in another form.
 */
export function refuseSecrets(text: string): void {
  const found = findSecret(text)
  if (!found) return
  throw new ClaudeNetError(
    'invalid',
    `The text seems to contain ${found.name} (line ${found.line}), so nothing was sent.`,
    'Leave it out, or say where it is stored. A person who wants to send it as it is, or sees that it is not a secret, runs: claude-net send --allow-secret NAME TEXT',
    undefined,
    true,
  )
}

/** Reports whether `text` has digits and letters: card numbers and dates have only digits, words in documentation only letters. */
function isJoinCode(text: string): boolean {
  return text !== documentedCode && /\d.*\d/.test(text) && /[A-Z].*[A-Z]/i.test(text)
}

/** Reports whether `secret` is a placeholder of documentation: named as one, repetitive, counting up, or of low entropy. */
function isPlaceholder(secret: string): boolean {
  if (/EXAMPLE|placeholder|redacted|your[_-]|dummy|x{6,}|\*{3,}|\.{3,}/i.test(secret)) return true
  return hasRun(secret.toLowerCase()) || entropyOf(secret) < 3
}

/** Reports whether `text` counts up or repeats for a quarter of its length and at least 8 characters: `0123456789abcdef`, `aaaaaaaa`. */
function hasRun(text: string): boolean {
  const enough = Math.max(8, text.length / 4)
  let [up, same] = [1, 1]
  for (let at = 1; at < text.length; at++) {
    const step = text.charCodeAt(at) - text.charCodeAt(at - 1)
    up = step === 1 || (text[at - 1] === '9' && 'a0'.includes(text[at]!)) ? up + 1 : 1
    same = step === 0 ? same + 1 : 1
    if (up >= enough || same >= enough) return true
  }
  return false
}

/** Returns the Shannon entropy of `text`, in bits per character. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  return -[...counts.values()].reduce((sum, count) => sum + (count / text.length) * Math.log2(count / text.length), 0)
}
