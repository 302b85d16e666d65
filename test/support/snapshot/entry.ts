import { startupSnapshot } from 'node:v8'
import { runCommandLine } from '../../../src/cli/command-line.ts'
import { releaseProcess } from './hold-process.ts'
// What it loads when it is asked for, loaded now.
import '../../../src/cli/main.ts'
import '../../../src/mcp/serve.ts'
import '../../../src/notice/hook.ts'

startupSnapshot.setDeserializeMainFunction(() => {
  releaseProcess()
  void runCommandLine()
})
