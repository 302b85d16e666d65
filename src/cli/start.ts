import { runHook } from '../notice/hook.ts'

// Claude Code runs a hook at every step of every session: it must not wait for the rest of the program to be loaded.
const [command, ...args] = process.argv.slice(2)
if (command === 'hook' && !args.includes('--help') && !args.includes('-h')) await runHook(args)
else await import('./main.ts')
