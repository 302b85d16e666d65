import { randomUUID } from 'node:crypto'
import { toolName } from '../protocol/activity.ts'
import type { ClientRecord } from './client-record.ts'
import type { SessionDir } from './session-dir.ts'
import type { HookInput } from './session-state.ts'

/** `prompt.json`: the permission prompt that the hooks saw last. The tool's input is not stored. */
interface PromptFile {
  /** Distinguishes this Claude Code from an earlier one with the same key. */
  instance?: string
  id: string
  tool?: string
  /** Time at which it was opened, ms since 1970. */
  since: number
  /** Claude Code has notified its user of it: about 6 s later, unless it was answered before. */
  isNotified?: true
  /** Tool of the prompt that is queued behind it; '' for several. */
  nextTool?: string
}

/** Time by which Claude Code's record of a prompt may be later than the hook's note of it, in ms. */
const slackMs = 1000

const name = 'prompt.json'

/** A permission prompt that waits for the user of a session. */
export interface OpenPrompt {
  /** Stays the same while this prompt is open. */
  id: string
  tool?: string
  /** Ms since 1970. */
  since: number
}

/**
 * Records a permission prompt from a hook's input at `at`, ms since 1970: PermissionRequest reports a prompt and its tool;
 * Notification reports that the user has not answered the one that is shown.
 */
export function notePrompt(
  dir: SessionDir,
  { hook_event_name: event, notification_type: type, tool_name }: HookInput,
  { instance, record, at }: { instance: string | undefined; record: ClientRecord | undefined; at: number },
): void {
  const before = read(dir, instance)
  const isOpen = before !== undefined && isShown(before, record)
  const fresh = { ...(instance && { instance }), id: randomUUID() }
  if (event === 'PermissionRequest') {
    const tool = typeof tool_name === 'string' ? toolName(tool_name) : ''
    if (!isOpen) write(dir, { ...fresh, ...(tool && { tool }), since: at })
    else write(dir, { ...before, nextTool: before.nextTool === undefined || before.nextTool === tool ? tool : '' })
  } else if (type === 'permission_prompt') {
    const since = record?.activity === 'waiting' ? record.since : at
    const next = { ...fresh, ...(before?.nextTool && { tool: before.nextTool }), since }
    write(dir, { ...(isOpen ? before : next), isNotified: true })
  }
}

/**
 * Returns the prompt that waits for its user now: Claude Code has notified them of it, and its own record shows that it is still open.
 * Undefined without such a record, since it may have been answered.
 */
export function openPrompt(
  dir: SessionDir,
  instance: string | undefined,
  record: ClientRecord | undefined,
): OpenPrompt | undefined {
  const prompt = read(dir, instance)
  if (!prompt?.isNotified || !isShown(prompt, record)) return undefined
  return { id: prompt.id, ...(prompt.tool && { tool: prompt.tool }), since: prompt.since }
}

/** Reports whether the session has waited since this prompt was opened: each answer, and each next prompt, begins a new status. */
function isShown({ since }: PromptFile, record: ClientRecord | undefined): boolean {
  return record?.activity === 'waiting' && record.since <= since + slackMs
}

/** Returns undefined also for a damaged file, since the hub would refuse a heartbeat with its content. */
function read(dir: SessionDir, instance: string | undefined): PromptFile | undefined {
  const file = dir.read<Partial<PromptFile>>(name)
  return isPromptFile(file) && (!instance || !file.instance || file.instance === instance) ? file : undefined
}

function isPromptFile(file: Partial<PromptFile> | null | undefined): file is PromptFile {
  if (!file || typeof file.id !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(file.id)) return false
  return Number.isFinite(file.since) && [file.tool, file.nextTool].every(tool => tool === undefined || isTool(tool))
}

function isTool(tool: unknown): boolean {
  return typeof tool === 'string' && tool === toolName(tool)
}

function write(dir: SessionDir, file: PromptFile): void {
  dir.make()
  dir.write(name, file)
}
