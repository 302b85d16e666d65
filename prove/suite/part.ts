import { type Planted, type PlantOptions, plantAll, plantOfDay } from './run.ts'

/** Time limit for the faults of a day, in ms. */
const dayMs = 60_000

/**
 * Plants the faults of one day in a copy and prints which tests failed. Resolves to whether none survived: a fault that was not decided in
 * time is reported, but does not count.
 */
export async function tryTheDay(day: string, say: (line: string) => void): Promise<boolean> {
  const planted = await plantOfDay(day, dayMs, say)
  for (const each of planted) console.log(inWords(each))
  const isSound = planted.every(({ result }) => result === 'red' || result === 'undecided')
  if (!isSound) console.log(`npm run prove -- --suite --day ${day} shows it again.`)
  return isSound
}

function inWords({ fault, result, by, ms }: Planted): string {
  return `planted fault '${fault.name}': ${result}${by ? `, by '${by}'` : ''}, ${Math.round(ms / 1000)} s`
}

/** Plants faults in a copy and prints which test of the suite fails for each. Resolves to whether every fault was found. */
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
