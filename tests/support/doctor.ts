import { join } from "node:path";
import { spawn } from "./spawn.ts";
import { within } from "./wait.ts";

const PROJECT = join(import.meta.dir, "../..");

export interface Diagnosis {
  exitCode: number | null;
  /** The doctor's output for people. */
  text: string;
  /** The texts of the failed checks with their advice, by the check's name. */
  wrong: Record<string, string>;
  /**
   * The status of each check by its name. If a name occurs twice, as with several roots, the last one counts.
   */
  statuses: Record<string, string>;
}

export interface DoctorOptions {
  /** The program with a command `doctor`: `client.ts` or `server.ts`. */
  program: string;
  folder: string;
  flags: string[];
  env?: Record<string, string>;
  /** Words in front of the command, such as a tool that runs it with other rights. */
  wrapper?: string[];
}

/** Runs the doctor of a client or server twice: with --json, and with output for people. */
export async function diagnose(options: DoctorOptions): Promise<Diagnosis> {
  const [person, script] = await Promise.all([run(options, []), run(options, ["--json"])]);
  const { ok, checks } = JSON.parse(script.text) as {
    ok: boolean;
    checks: { name: string; status: string; text: string; advice: string | null }[];
  };
  if (script.exitCode !== (ok ? 0 : 1)) throw new Error(`it ended with ${script.exitCode}`);
  const wrong = checks.filter(({ status }) => status === "wrong");
  const told = ({ name, text, advice }: (typeof checks)[number]) => [
    name,
    advice === null ? text : `${text} → ${advice}`,
  ];
  return {
    ...person,
    wrong: Object.fromEntries(wrong.map(told)),
    statuses: Object.fromEntries(checks.map(({ name, status }) => [name, status])),
  };
}

async function run({ program, folder, flags, env, wrapper = [] }: DoctorOptions, more: string[]) {
  const argv = [process.execPath, "--no-env-file", join(PROJECT, program), "doctor"];
  const child = spawn([...wrapper, ...argv, ...flags, ...more], {
    cwd: folder,
    ...(env && { env }),
    stderr: "pipe",
  });
  const output = Promise.all([child.stdout.text(), child.stderr.text()]);
  const [text, problems] = await within(output, "the doctor to end");
  await child.exited;
  if (problems !== "") throw new Error(problems);
  return { exitCode: child.exitCode, text };
}
