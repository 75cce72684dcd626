/** Factor for the number of random inputs, 1 in CI: `FAULT_EFFORT=50 bun test …`. */
export const EFFORT = Number(process.env["FAULT_EFFORT"] ?? 1);

/** Prints a line about what a run has done, for the record of long runs. */
export function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
