/**
 * Builds one program file for each kind of machine, and SHA256SUMS with their checksums (`bun run build`).
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { Failure, runProgram } from "../cli/program.ts";
import { paint, say, type Terminal, terminalOf } from "../cli/terminal/terminal.ts";
import { wrapHelp } from "../cli/terminal/wrap.ts";
import type { Build } from "../util/build.ts";
import { parseFlags, readSetting } from "../util/flags.ts";
import { oneOf } from "../util/kinds.ts";
import { stdout } from "../util/output.ts";
import { formatSize } from "../util/sizes.ts";
import { programFile, type Target, TARGET_NAMES, TARGETS } from "./targets.ts";

const PROJECT = join(import.meta.dir, "../..");

/** The entry points of the program: its main file, and a file for each worker thread. */
const SOURCES = [
  "lib/program/main.ts",
  "lib/server/database/checkpoint-worker.ts",
  "lib/util/syncfs-worker.ts",
];

const SUMS_FILE = "SHA256SUMS";

const HELP = `Usage: bun run build [flags]

Makes one program for each kind of machine: the client, the server and the commands of fds in one file
that needs nothing else. ${SUMS_FILE} lists their checksums. The same commit gives the same bytes.

  --target TARGET (repeatable)
      only for these: ${TARGET_NAMES.join(", ")} (default: all)
  --out FOLDER
      where to put them (default: dist); programs of earlier builds in it are removed
  --help, -h
      show this
`;

const TARGET = oneOf(TARGET_NAMES);

await runProgram(async () => {
  const { values } = parseFlags(process.argv.slice(2), {
    target: { type: "string", multiple: true },
    out: { type: "string" },
  });
  if (values["help"]) return void stdout.write(wrapHelp(HELP));
  const given = [values["target"] ?? TARGET_NAMES].flat().map(String);
  const targets = given.map((text) =>
    readSetting({ source: "--target", text }, TARGET.schema, TARGET.expected),
  );
  const folder = resolve(String(values["out"] ?? join(PROJECT, "dist")));
  // Relative paths become part of the program. A fixed working directory makes the same commit give the same
  // bytes.
  process.chdir(PROJECT);
  await buildAll([...new Set(targets)], folder, terminalOf(stdout, process.env));
});

async function buildAll(targets: Target[], folder: string, terminal: Terminal): Promise<void> {
  const commit = await commitOf(PROJECT);
  await removeOldBuilds(folder);
  const sums: string[] = [];
  for (const target of targets) {
    const file = programFile(target);
    const path = join(folder, file);
    await build(path, { commit, target }, TARGETS[target]);
    sums.push(`${await sha256(path)}  ${file}\n`);
    say(terminal, file, formatSize((await stat(path)).size));
  }
  await writeFile(join(folder, SUMS_FILE), sums.join(""));
  say(terminal, SUMS_FILE, 'check with "sha256sum -c SHA256SUMS"');
  if (commit.endsWith("-changed")) {
    terminal.write(paint("Built from sources that are not committed\n", "yellow", terminal.colour));
  }
}

/**
 * Builds the program for one target.
 * @throws Failure where Bun for the target cannot be downloaded, or the sources have an error
 */
async function build(
  path: string,
  buildInfo: Build,
  bunTarget: Bun.Build.CompileTarget,
): Promise<void> {
  const result = await Bun.build({
    entrypoints: SOURCES,
    target: "bun",
    minify: true,
    // With code splitting, the program loads only the modules that it needs, which makes each start faster.
    splitting: true,
    // The program expects the files of its worker threads in the same folder as its main file.
    naming: { entry: "[name].[ext]" },
    define: { FDS_BUILD: JSON.stringify(buildInfo), "process.env.NODE_ENV": '"production"' },
    compile: {
      target: bunTarget,
      outfile: path,
      // Files in the working directory must not change what the program does.
      autoloadDotenv: false,
      autoloadBunfig: false,
      // Code that runs only once, at the start, is not worth just-in-time compiling. lib/program/main.ts
      // changes the policy later.
      jitPolicy: 20,
    },
    throw: false,
  }).catch((error: unknown) => ({ success: false as const, logs: [error] }));
  if (result.success) return;
  await rm(path, { force: true });
  const [reason] = result.logs.map((log) => (log instanceof Error ? log.message : String(log)));
  throw new Failure(`${buildInfo.target} could not be built: ${reason}`);
}

/** Removes programs and checksums of earlier builds, so that all files in the folder are of one commit. */
async function removeOldBuilds(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const names = await readdir(folder);
  const old = names.filter((name) => /^fds-\w+-\w+(?:-musl)?(?:\.exe)?$|^SHA256SUMS$/.test(name));
  await Promise.all(old.map((name) => rm(join(folder, name))));
}

/**
 * Returns the commit of the sources, or `unknown` outside a repository. Uncommitted changes add `-changed`.
 */
async function commitOf(project: string): Promise<string> {
  const [commit, changes] = await Promise.all([
    runGit(project, "rev-parse", "HEAD"),
    runGit(project, "status", "--porcelain", "--untracked-files=no"),
  ]);
  if (!commit) return "unknown";
  return changes === "" ? commit : `${commit}-changed`;
}

/** Runs git. @returns the output without the final newline; null where git is not installed or fails */
async function runGit(project: string, ...args: string[]): Promise<string | null> {
  if (!Bun.which("git")) return null;
  const git = Bun.spawn(["git", "-C", project, ...args], { stdout: "pipe", stderr: "ignore" });
  const text = await git.stdout.text();
  return (await git.exited) === 0 ? text.trim() : null;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
