import { type PlantOptions, plantAll } from './run.ts'

/** Puts faults into a copy and prints which test of the suite turns red for each. Resolves to whether every fault was found. */
export async function tryTheSuite({ json, ...options }: PlantOptions & { json: boolean }): Promise<boolean> {
  const planted = await plantAll(options)
  const missed = planted.filter(({ result }) => result !== 'red')
  const found = planted.length - missed.length
  if (json)
    console.log(JSON.stringify({ date: new Date().toISOString(), planted, found, missed: missed.length }, null, 2))
  else {
    console.log('| fault | broken promise | what turned red |\n| --- | --- | --- |')
    for (const { fault, by, result } of planted)
      console.log(`| ${fault.name} | ${fault.promise} | ${by ?? result.toUpperCase()} |`)
    console.log(`\n${found} of ${planted.length} faults turned a test red.`)
  }
  return missed.length === 0
}
