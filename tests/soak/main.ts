import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { Failure, runProgram } from "../../lib/cli/program.ts";
import { parseFlags, readSetting } from "../../lib/util/flags.ts";
import { HAS_PROC } from "../support/footprint.ts";
import { graphOf, linesOf, type Report } from "./report.ts";
import { soak } from "./soak.ts";
import { stdout } from "../../lib/util/output.ts";

const HELP = `Usage: bun run soak [flags]

A server and many clients, real ones, pull files of all sizes while everything that can go wrong
does. At the end everything is looked at: each file, each record, and what the processes hold.

  --minutes N
      how long (default: 10)
  --clients N
      how many sites (default: 20)
  --intensity CORES
      processor time that it takes on average, 0.35 is a third of a core (default: 0.35)
  --seed N
      of all that is random; when it strikes depends on the machine too (default: another each time)
  --output FOLDER
      for soak.svg and soak.json (default: a new folder in the system's one for temporary files)
  --help, -h
      show this
`;

const FLAGS = {
  minutes: { type: "string" },
  clients: { type: "string" },
  intensity: { type: "string" },
  seed: { type: "string" },
  output: { type: "string" },
} as const;

const number = (schema: z.ZodNumber) => z.string().trim().min(1).transform(Number).pipe(schema);
const minutes = number(z.number().positive().max(10_000));
const clients = number(z.int().min(1).max(1000));
const intensity = number(z.number().positive().max(1000));
const seed = number(
  z
    .int()
    .min(0)
    .max(2 ** 31),
);

await runProgram(async (signal) => {
  const { values } = parseFlags(process.argv.slice(2), FLAGS);
  if (values["help"]) return void stdout.write(HELP);
  const read = <T>(name: keyof typeof FLAGS, schema: z.ZodType<T>, expected: string, preset: T) =>
    typeof values[name] === "string"
      ? readSetting({ source: `--${name}`, text: values[name] }, schema, expected)
      : preset;
  const options: Report["options"] = {
    minutes: read("minutes", minutes, "a number of minutes over 0", 10),
    clients: read("clients", clients, "a whole number from 1 to 1000", 20),
    intensity: read("intensity", intensity, "a number over 0", 0.35),
    seed: read("seed", seed, "a whole number", Math.floor(Math.random() * 2 ** 31)),
  };
  if (!HAS_PROC) throw new Failure("run it on Linux: elsewhere it cannot see what processes hold");
  const output = typeof values["output"] === "string" ? values["output"] : await freshFolder();
  say(`soak for ${options.minutes} min, seed ${options.seed}, results in "${output}"`);
  const report = await soak(options, say, signal);
  await mkdir(output, { recursive: true });
  await writeFile(join(output, "soak.json"), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(output, "soak.svg"), graphOf(report));
  for (const line of linesOf(report)) say(line);
  signal.throwIfAborted();
  if (report.violations.length > 0) throw new Failure("something did not hold");
});

function say(line: string): void {
  stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

function freshFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "fds-soak-"));
}
