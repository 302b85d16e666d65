/** What a join line is made of. Every part has been checked against a strict pattern: they stand in shell text. */
export interface JoinLineFor {
  /** The hub as the new machine, or `via`, reaches it: `http://10.0.3.1:3500`. */
  origin: string
  code: string
  /** Where the new machine goes by ssh to reach `origin`. */
  via?: string
}

/** How the machine gets into the other host: without a terminal, and without a command of the user's own configuration. */
const ssh = 'ssh -T -o RemoteCommand=none'

/** What curl must know of an address of the hub, one setting of its configuration a line (curl(1), --config). */
function curlConfig(url: string): string[] {
  return [`url="${url}"`, 'noproxy="*"']
}

/**
 * Shell text that takes `url` to stdout. The shell's own printf hands curl the address, so no argument that other users see in
 * the process list holds it. `run` is how curl is started.
 */
export function curlCommand(url: string, run = (curl: string) => curl): string {
  const settings = curlConfig(url).map(setting => `'${setting}'`)
  return `printf '%s\\n' ${settings.join(' ')} | ${run('curl -fsSL -K -')}`
}

/** The one line that makes a machine a member, for any shell. */
export function joinLine(line: JoinLineFor): string {
  const { via } = line
  const run = via === undefined ? undefined : (curl: string) => `${ssh} ${via} '${curl}'`
  return `${curlCommand(scriptUrl(line), run)} | sh`
}

/** The same with the address, and so the code, on curl's command line, where every user of the machine can read it. */
export function plainJoinLine(line: JoinLineFor): string {
  const { via } = line
  if (via === undefined) return `curl -fsSL --noproxy '*' '${scriptUrl(line)}' | sh`
  return `${ssh} ${via} 'curl -fsSL --noproxy "*" "${scriptUrl(line)}"' | sh`
}

function scriptUrl({ origin, code, via }: JoinLineFor): string {
  return `${origin}/join/${code}${via === undefined ? '' : `?via=${via}`}`
}
