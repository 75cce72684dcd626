import * as z from "zod";
import { plainText } from "../../lib/util/plain-text.ts";
import { Failure, runProgram } from "../../lib/cli/program.ts";
import { stdout } from "../../lib/util/output.ts";

/*
 * A step of `bun run check`. Every dependency is pinned to one version, bun.lock has the same versions, and
 * the registry knows no security advisory for any of them. If the registry does not answer, the audit is
 * skipped.
 */

const Versions = z.record(z.string(), z.string()).default({});

const Manifest = z.object({ dependencies: Versions, devDependencies: Versions });

/** Security advisories as the registry returns them: lists by package name. */
const Advisories = z.record(z.string(), z.array(z.object({ title: z.string(), url: z.string() })));

/**
 * Returns the dependencies of a package.json that are not pinned to exactly one version.
 * @throws z.ZodError if the value is no package.json
 */
export function unpinned(manifest: unknown): string[] {
  const { dependencies, devDependencies } = Manifest.parse(manifest);
  return Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.-]+)?$/.test(version))
    .map(([name, version]) => `${name}@${version}`);
}

/**
 * Parses the output of `bun audit --json`.
 * @returns a line for each security advisory; null if the output is empty, as the registry did not answer
 */
export function readAdvisories(output: string): string[] | null {
  if (output.trim() === "") return null;
  return Object.entries(Advisories.parse(JSON.parse(output))).flatMap(([name, advisories]) =>
    advisories.map(({ title, url }) => `${name}: ${title} (${url})`),
  );
}

async function main(signal: AbortSignal): Promise<void> {
  const loose = unpinned(await Bun.file("package.json").json());
  if (loose.length > 0) throw new Failure(`name one version of: ${loose.join(", ")}`);
  const locked = bun(["install", "--frozen-lockfile", "--dry-run"], signal);
  if ((await locked.exited) !== 0) throw new Failure(await locked.stderr.text());
  say("All dependencies are pinned, and bun.lock is in step");

  const audit = bun(["audit", "--json"], signal);
  const advisories = readAdvisories(await audit.stdout.text());
  if (advisories === null) {
    say(`Not audited, the registry did not say: ${plainText(await audit.stderr.text())}`);
  } else if (advisories.length > 0) {
    throw new Failure(`update what has known faults: ${advisories.join("; ")}`);
  } else {
    say("The registry knows no fault of any of them");
  }
}

function say(line: string): void {
  stdout.write(`${line}\n`);
}

function bun(args: string[], signal: AbortSignal) {
  return Bun.spawn([process.execPath, ...args], { stdio: ["ignore", "pipe", "pipe"], signal });
}

if (import.meta.main) await runProgram(main);
