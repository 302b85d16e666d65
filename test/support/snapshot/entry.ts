import { startupSnapshot } from 'node:v8'
import { runCommandLine } from '../../../src/cli/command-line.ts'
import { releaseProcess } from './hold-process.ts'
// Modules that the program loads on demand, loaded now.
import '../../../src/cli/main.ts'
import '../../../src/mcp/serve.ts'
import '../../../src/notice/hook.ts'

startupSnapshot.setDeserializeMainFunction(() => {
  releaseProcess()
  void runCommandLine()
})
