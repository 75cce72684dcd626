/** Factor for the number of random inputs, 1 in CI: `FAULT_EFFORT=50 bun test …`. */
export const EFFORT = Number(process.env["FAULT_EFFORT"] ?? 1);

/** Prints a line about what the tests have done, so that long runs leave a record of it. */
export function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
