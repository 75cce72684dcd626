import * as z from "zod";
import { plainText } from "../../lib/util/plain-text.ts";
import { Failure, runProgram } from "../../lib/cli/program.ts";
import { stdout } from "../../lib/util/output.ts";

/*
 * A step of `bun run check`: every dependency is pinned, what is pinned is what bun.lock has, and
 * no advisory is known for any of it, as far as the registry answers that.
 */

const Versions = z.record(z.string(), z.string()).default({});

const Manifest = z.object({ dependencies: Versions, devDependencies: Versions });

/** An advisory as the registry gives it, by the package's name. */
const Advisories = z.record(z.string(), z.array(z.object({ title: z.string(), url: z.string() })));

/**
 * The dependencies of a package.json that name more than one version.
 * @throws z.ZodError when it is no package.json
 */
export function unpinned(manifest: unknown): string[] {
  const { dependencies, devDependencies } = Manifest.parse(manifest);
  return Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.-]+)?$/.test(version))
    .map(([name, version]) => `${name}@${version}`);
}

/**
 * Reads what `bun audit --json` printed.
 * @returns a line for each advisory, or null where the registry did not say
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
