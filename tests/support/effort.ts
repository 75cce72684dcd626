/** How many times as much as in CI the random tests try: `FAULT_EFFORT=100 bun test …`. */
export const EFFORT = Number(process.env["FAULT_EFFORT"] ?? 1);

/** What the random tests begin with; it is in their names. `FAULT_SEED` runs a failure again. */
export const SEED = Number(process.env["FAULT_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** Says what a long run has done; nobody looks for it in CI. */
export function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
