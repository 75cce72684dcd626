/** How many times as much as in CI the mutators try: `FAULT_EFFORT=50 bun test …`. */
export const EFFORT = Number(process.env["FAULT_EFFORT"] ?? 1);

/** Says what a run has done: a long one is recorded by it. */
export function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
