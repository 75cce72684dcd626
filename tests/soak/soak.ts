import { footprintOf } from "../support/footprint.ts";
import type { Program } from "../support/programs.ts";
import { waitFor } from "../support/wait.ts";
import { audit } from "./audit.ts";
import { Gauges, type Holding, type Sample } from "./gauges.ts";
import { type Allowance, DESCRIPTORS, growthOf, MEMORY } from "./growth.ts";
import { allRecords, type Ledger } from "./operator.ts";
import type { Report } from "./report.ts";
import { OPERATORS, Storm } from "./storm.ts";
import { World } from "./world.ts";

/** Maximum number of errors from the server's log in the report. */
const ERRORS_TOLD = 10;

/** Number of descriptors that may stay open for idle connections of operators. */
const SPARE_DESCRIPTORS = 2 * OPERATORS;

/**
 * Runs a server and clients under load and faults, then checks all invariants.
 * @param say receives a line of progress now and then
 * @param signal ends the storm of faults early
 */
export async function soak(
  options: Report["options"],
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<Report> {
  await using world = await World.start(options.clients);
  signal?.addEventListener("abort", () => world.calm());
  say(`the server and ${options.clients} clients stand, in "${world.system.folder}"`);
  const gauges = new Gauges(world);
  const ledger: Ledger = { ended: new Map(), taken: new Set(), violations: [] };
  const lasting = [world.system.server, ...world.steadyClients];
  const before = await Promise.all(lasting.map(footprintOf));
  await new Storm(world, ledger, gauges, options, say).rage();
  say("the storm is over, everything is looked at");
  const violations = await audit(world, ledger);
  for (const [n, program] of lasting.entries()) {
    violations.push(...(await leftOpen(program, before[n]!.descriptors)));
  }
  const growth = grownIn(gauges.samples);
  violations.push(...growth.filter(({ grows }) => grows).map(({ told }) => `E: ${told}`));
  const statuses = Object.groupBy(await allRecords(world), ({ status }) => status);
  return {
    options,
    violations,
    serverErrors: world.system.server
      .log()
      .filter(({ level }) => level === "error")
      .slice(-ERRORS_TOLD)
      .map((line) => `server: ${JSON.stringify(line)}`),
    notTried: world.disk ? [] : ['"disk full": to mount a disk takes Linux and root'],
    downloads: Object.fromEntries(
      Object.entries(statuses).map(([status, records]) => [status, records.length]),
    ),
    faults: world.struck,
    growth: growth.map(({ told }) => told),
    samples: gauges.samples,
  };
}

/**
 * Checks invariant E: when no transfer is under way, a process has no more descriptors open than before the
 * storm, apart from those of idle connections.
 */
async function leftOpen(program: Program, before: number): Promise<string[]> {
  let now = before;
  const isBack = async () => {
    now = (await footprintOf(program)).descriptors;
    return now <= before + SPARE_DESCRIPTORS;
  };
  const back = waitFor(isBack, "descriptors to be closed").catch(() => false);
  if (await back) return [];
  return [`E: ${program.name} has ${now} descriptors open, before the storm ${before}`];
}

interface Grown {
  told: string;
  grows: boolean;
}

/** Checks invariant E: the memory and descriptors of processes that run for a long time do not grow. */
function grownIn(samples: Sample[]): Grown[] {
  const lastServer = samples.at(-1)?.serverPid;
  // A server that does not answer yet is starting, and its values would be too low.
  const ofServer = samples.filter(
    ({ serverPid, ended }) => serverPid === lastServer && ended !== null,
  );
  return [
    ...grownOf("the last server", ofServer, ({ server }) => server),
    ...grownOf("the steady clients", samples, ({ clients }) => clients),
  ];
}

function grownOf(who: string, samples: Sample[], of: (sample: Sample) => Holding | null): Grown[] {
  const holdings = samples.map(of).filter((holding) => holding !== null);
  const judge = (what: keyof Holding, allowance: Allowance): Grown => {
    const { early, late, grows } = growthOf(
      holdings.map((holding) => holding[what]),
      allowance,
    );
    const found =
      early === null ? "too few values" : `${early} in the second quarter, ${late} in the last`;
    return {
      told: `${what} of ${who}: ${found}`,
      grows,
    };
  };
  return [judge("memory", MEMORY), judge("descriptors", DESCRIPTORS)];
}
