import { createReadStream, type Stats } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { Failure } from "../../cli/program.ts";
import { systemCode } from "../../util/system-error.ts";
import type { CommandStep, FileStep, RemoveStep, Step } from "./service.ts";

/**
 * The change that a step makes to the system. `edited` means that the file stays as it is, but was changed by
 * hand since the last installation, so the service has to read it again. `runs` means that a command is run.
 */
export type Difference =
  "new" | "changed" | "edited" | "unchanged" | "removed" | "not there" | "runs";

/** A step of a plan, and the change that the step makes. */
export interface PlannedStep {
  step: Step;
  difference: Difference;
}

/**
 * Compares steps with the system, without changing anything.
 * @param destdir folder that is used in place of `/`. The plan then contains no system commands. null: the
 *   plan is for this system itself
 */
export async function planOf(steps: Step[], destdir: string | null): Promise<PlannedStep[]> {
  const relocated = destdir === null ? steps : steps.flatMap((step) => relocate(step, destdir));
  return Promise.all(
    relocated.map(async (step) => ({ step, difference: await differenceOf(step) })),
  );
}

/**
 * Reports whether a plan has nothing to do for any file. A file that was edited since the last installation
 * counts as something to do. Commands do not count, as they always run.
 */
export function isDone(plan: PlannedStep[]): boolean {
  return plan.every(({ difference }) => ["unchanged", "not there", "runs"].includes(difference));
}

/** Describes a plan for the user, with a line for each step. */
export function describePlan(plan: PlannedStep[]): string {
  return plan.map((planned) => `${describeStep(planned)}\n`).join("");
}

function describeStep({ step, difference }: PlannedStep): string {
  if (step.kind === "command") return `  runs       ${step.argv.join(" ")}`;
  const parts = [`  ${difference.padEnd(9)}  ${step.path}`, `  ${step.about}`];
  if (step.kind === "file") {
    const owner = step.owner === null ? "" : `, of ${step.owner}`;
    parts.push(` (mode ${step.mode.toString(8)}${owner})`);
  }
  return parts.join("");
}

/** Performs the steps of a plan in order. @throws Failure that names the failed step */
export async function perform(plan: PlannedStep[]): Promise<void> {
  for (const { step, difference } of plan) {
    if (step.kind === "command") await run(step);
    else if (step.kind === "remove") await remove(step);
    else {
      if (!["unchanged", "edited"].includes(difference)) await write(step);
      if (step.isTouched) await touch(step.path);
    }
  }
}

async function touch(path: string): Promise<void> {
  // The clock has whole ms, while the time of a file written just before can have a fraction. So 1 ms is
  // added, and that file does not count as newer.
  const now = (Date.now() + 1) / 1000;
  await utimes(path, now, now);
}

function relocate(step: Step, destdir: string): Step[] {
  if (step.kind === "command") return [];
  const path = join(destdir, step.path);
  if (step.kind === "remove") return [{ ...step, path }];
  const { installedWith } = step;
  return [
    {
      ...step,
      path,
      // No owner is set: the folder is for another system, which may not have the users of this one.
      owner: null,
      ...(installedWith !== undefined && { installedWith: join(destdir, installedWith) }),
    },
  ];
}

async function differenceOf(step: Step): Promise<Difference> {
  if (step.kind === "command") return "runs";
  const found = await stat(step.path).catch((error: unknown) => {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return null;
    throw error;
  });
  if (step.kind === "remove") return found ? "removed" : "not there";
  if (!found) return "new";
  if (step.onlyIfMissing) return "unchanged";
  const hasMode = process.platform === "win32" || (found.mode & 0o777) === step.mode;
  const isOwned = step.owner === null || found.uid === (await uidOf(step.owner));
  if (!hasMode || !isOwned || !(await hasContent(step))) return "changed";
  return (await isNewer(found, step.installedWith)) ? "edited" : "unchanged";
}

async function isNewer({ mtimeMs }: Stats, otherFile: string | undefined): Promise<boolean> {
  const other = otherFile === undefined ? null : await stat(otherFile).catch(() => null);
  return other !== null && mtimeMs > other.mtimeMs;
}

/** Returns the numeric id of a user; null where the user does not exist. */
async function uidOf(user: string): Promise<number | null> {
  const { exitCode, output } = await runSystemCommand(["id", "-u", user]);
  return exitCode === 0 ? Number(output) : null;
}

async function hasContent({ path, content }: FileStep): Promise<boolean> {
  if (content === "folder") return (await stat(path)).isDirectory();
  if ("text" in content) return Buffer.from(content.text).equals(await readFile(path));
  const { copyOf } = content;
  const [source, installed] = await Promise.all([stat(copyOf), stat(path)]);
  return source.size === installed.size && (await digestOf(copyOf)) === (await digestOf(path));
}

async function digestOf(path: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const block of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    hash.update(block);
  }
  return hash.digest("hex");
}

/** Writes a file or makes a folder. @throws Failure that names the path, and the remedy */
async function write(step: FileStep): Promise<void> {
  try {
    await (step.content === "folder" ? makeFolder(step) : writeFileOf(step, step.content));
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    throw new Failure(`"${step.path}" cannot be written (${code})${adviceFor(code)}`, {
      cause: error,
    });
  }
}

async function makeFolder({ path, mode, owner }: FileStep): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  await chmod(path, mode);
  await changeOwner(path, owner);
}

/**
 * Replaces a file atomically. Programs that open the file meanwhile get either the old or the new content.
 */
async function writeFileOf(
  { path, mode, owner }: FileStep,
  content: Exclude<FileStep["content"], "folder">,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const temporary = `${path}.new`;
  try {
    // An old temporary file is removed, not overwritten, as its permissions could let others read the new
    // content, such as a secret.
    await rm(temporary, { force: true });
    if ("text" in content) await writeFile(temporary, content.text, { mode, flag: "wx" });
    else await copyFile(content.copyOf, temporary);
    await chmod(temporary, mode);
    await changeOwner(temporary, owner);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Returns advice where the user lacks the right to do something; empty for other errors. */
function adviceFor(code: string): string {
  if (code !== "EACCES" && code !== "EPERM") return "";
  return process.platform === "win32" ? ", run it as an administrator" : ", run it as root";
}

async function changeOwner(path: string, owner: string | null): Promise<void> {
  if (owner !== null) await run({ kind: "command", argv: ["chown", `${owner}:`, path] });
}

async function remove({ path }: RemoveStep): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    // For example, Windows does not remove the file of a running program.
    throw new Failure(`remove "${path}" by hand (${systemCode(error) ?? String(error)})`, {
      cause: error,
    });
  }
}

async function run({ argv, mayFail }: CommandStep): Promise<void> {
  const { exitCode, output } = await runSystemCommand(argv);
  if (exitCode === 0 || mayFail) return;
  const reason = output.trim().split("\n").at(-1) ?? "";
  throw new Failure(`"${argv.join(" ")}" failed: ${reason || `exit code ${exitCode}`}`);
}

/**
 * Reads a text file, which need not exist.
 * @returns an empty text where the file does not exist
 * @throws Failure where the file cannot be read
 */
export async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return "";
    throw new Failure(
      `"${path}" cannot be read (${code ?? String(error)})${adviceFor(code ?? "")}`,
    );
  }
}

/**
 * Runs a system command.
 * @returns the exit code and the output; exit code 127 where the command does not exist
 */
export async function runSystemCommand(
  argv: string[],
): Promise<{ exitCode: number; output: string }> {
  const [name = ""] = argv;
  if (!Bun.which(name)) return { exitCode: 127, output: `there is no ${name} here` };
  const child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, output: `${stdout}${stderr}` };
}
