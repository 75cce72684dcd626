import { Random } from "../support/random.ts";
import { CLIENT_FAULTS, DISK_FAULTS, type Fault, SERVER_FAULTS, SITE_FAULTS } from "./faults.ts";
import type { Gauges } from "./gauges.ts";
import { type Ledger, Operator } from "./operator.ts";
import { Pace } from "./pace.ts";
import type { World } from "./world.ts";

export interface StormOptions {
  minutes: number;
  /** Processor time that is used on average, in cores: 0.35 is a third of one. */
  intensity: number;
  seed: number;
}

/** Downloads that are waited for at once. */
export const OPERATORS = 16;
/** Faults that sites have at once. */
const SITE_STORMS = 3;
/** Between two of them, in ms. */
const SITE_PAUSE = [200, 2_000] as const;
/** Between two faults of the server: at most this, or this part of all the time, in ms. */
const SERVER_PAUSE = 30_000;
const SERVER_PAUSE_PART = 0.08;
/** After this part of the time the server is ended no more: only in one that lives, leaks add up. */
const SERVER_DIES_FOR = 0.4;
/** How often everything is measured: so many times, but not more often than this, in ms. */
const SAMPLES = 700;
const SAMPLE_EVERY = 500;

/** Pulls and faults all the time, until it is calm again and every pull has ended. */
export async function storm(
  world: World,
  ledger: Ledger,
  gauges: Gauges,
  { minutes, intensity, seed }: StormOptions,
  say: (line: string) => void,
): Promise<void> {
  const duration = minutes * 60_000;
  const begun = performance.now();
  const pace = new Pace(world, intensity);
  let seeds = seed;
  const random = () => new Random(seeds++);
  const untilCalm = async (work: () => Promise<unknown>) => {
    while (!world.isCalm) await work();
  };

  async function operate(operator: Operator): Promise<void> {
    await pace.turn();
    if (world.isCalm) return;
    await operator.pull().catch((error: unknown) => {
      ledger.violations.push(`C, F: an operator met ${String(error)}`);
    });
  }

  async function strikeSite(own: Random): Promise<void> {
    await world.rest(own.int(...SITE_PAUSE));
    const free = world.sites.filter(({ struck }) => !struck);
    if (world.isCalm || free.length === 0) return;
    const site = own.pick(free);
    site.struck = true;
    await strike(site.steady ? SITE_FAULTS : CLIENT_FAULTS, site, own);
    site.struck = false;
  }

  async function strikeServer(own: Random): Promise<void> {
    await world.rest(own.float() * Math.min(SERVER_PAUSE, duration * SERVER_PAUSE_PART));
    if (world.isCalm) return;
    const dies = performance.now() - begun < duration * SERVER_DIES_FOR;
    const faults = { ...(dies && SERVER_FAULTS), ...(world.disk && DISK_FAULTS) };
    if (Object.keys(faults).length > 0) await strike(faults, world.system, own);
    else await world.rest(duration);
  }

  async function strike<T>(faults: Record<string, Fault<T>>, on: T, own: Random): Promise<void> {
    const [name, fault] = own.pick(Object.entries(faults));
    world.struck[name] = (world.struck[name] ?? 0) + 1;
    await fault(on, world, own);
  }

  async function measure(): Promise<void> {
    await gauges.look();
    tell(gauges, ledger, say);
    await world.rest(Math.max(SAMPLE_EVERY, duration / SAMPLES));
  }

  const timer = setTimeout(() => world.calm(), duration);
  try {
    await Promise.all([
      untilCalm(() => pace.look()),
      untilCalm(measure),
      ...Array.from({ length: OPERATORS }, random).map((own) => {
        const operator = new Operator(world, ledger, own);
        return untilCalm(() => operate(operator));
      }),
      ...Array.from({ length: SITE_STORMS }, random).map((own) => untilCalm(() => strikeSite(own))),
      ...[random()].map((own) => untilCalm(() => strikeServer(own))),
    ]);
  } finally {
    clearTimeout(timer);
    world.calm();
  }
}

/** Every so many samples a person hears how it goes. */
const TELL_EVERY = 50;

function tell({ samples }: Gauges, { ended, violations }: Ledger, say: (line: string) => void) {
  if (samples.length % TELL_EVERY !== 0) return;
  const minutes = samples.at(-1)?.minute.toFixed(1);
  say(`${minutes} min: ${ended.size} downloads have ended, ${violations.length} violations`);
}
