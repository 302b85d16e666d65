/** Formats a number of bytes in a fitting unit, in powers of 1000: `812 bytes`, `1.2 MB`, `80 GB`. */
export function bytesInWords(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let [amount, unit] = [bytes, 0]
  for (; amount >= 1000 && unit < units.length - 1; unit++) amount /= 1000
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`
}
