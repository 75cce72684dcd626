import { Random } from "../support/random.ts";
import { CLIENT_FAULTS, DISK_FAULTS, type Fault, SERVER_FAULTS, SITE_FAULTS } from "./faults.ts";
import type { Gauges } from "./gauges.ts";
import { type Ledger, Operator } from "./operator.ts";
import { Pace } from "./pace.ts";
import type { World } from "./world.ts";

export interface StormOptions {
  minutes: number;
  /** Average processor time to use, in cores. 0.35 is about a third of a core. */
  intensity: number;
  seed: number;
}

/** Number of operators, each with one download at a time. */
export const OPERATORS = 16;
/** Number of faults of sites that happen at the same time. */
const SITE_STORMS = 3;
/** Minimum and maximum pause before another fault of a site, in ms. */
const SITE_PAUSE = [200, 2_000] as const;
/** Maximum time between two faults of the server, in ms. */
const SERVER_PAUSE = 30_000;
/** Maximum time between two faults of the server, as a share of the whole duration. */
const SERVER_PAUSE_PART = 0.08;
/** Share of the duration after which the server is no longer ended, so that its leaks can be seen. */
const SERVER_DIES_FOR = 0.4;
/** Number of measurements of memory, descriptors and lag during the whole test. */
const SAMPLES = 700;
/** Minimum time between two measurements, in ms. */
const SAMPLE_EVERY = 500;
/** Number of measurements between two lines of progress. */
const TELL_EVERY = 50;

/** Pause after an unexpected error, in ms. */
const AFTER_AN_ERROR = 1_000;

/** The storm of faults: pulls and faults at the same time, for a given duration. */
export class Storm {
  readonly #begun = performance.now();
  readonly #duration: number;
  readonly #pace: Pace;
  #seed: number;

  /** @param say receives a line of progress now and then */
  constructor(
    private readonly world: World,
    private readonly ledger: Ledger,
    private readonly gauges: Gauges,
    { minutes, intensity, seed }: StormOptions,
    private readonly say: (line: string) => void,
  ) {
    this.#duration = minutes * 60_000;
    this.#pace = new Pace(world, intensity);
    this.#seed = seed;
  }

  /**
   * Runs pulls and faults for the given duration. Resolves when every pull has ended, or the time limit for
   * that has passed.
   */
  async rage(): Promise<void> {
    const { world, ledger } = this;
    const timer = setTimeout(() => world.calm(), this.#duration);
    try {
      await Promise.all([
        this.#untilCalm(() => this.#pace.look()),
        this.#untilCalm(() => this.#measure()),
        this.#untilCalm((own) => this.#strikeServer(own)),
        ...Array.from({ length: SITE_STORMS }, () =>
          this.#untilCalm((own) => this.#strikeSite(own)),
        ),
        ...Array.from({ length: OPERATORS }, () =>
          this.#untilCalm((own) => this.#operate(new Operator(world, ledger, own))),
        ),
      ]);
    } finally {
      clearTimeout(timer);
      world.calm();
    }
  }

  /**
   * Repeats work until the storm of faults is over, with random numbers of its own. An unexpected error is
   * recorded as a violation, and the work goes on.
   */
  async #untilCalm(work: (own: Random) => Promise<void>): Promise<void> {
    const own = new Random(this.#seed++);
    while (!this.world.isCalm) {
      try {
        await work(own);
      } catch (error) {
        this.ledger.violations.push(`C, F: unexpected: ${String(error)}`);
        await this.world.rest(AFTER_AN_ERROR);
      }
    }
  }

  async #operate(operator: Operator): Promise<void> {
    await this.#pace.turn();
    if (!this.world.isCalm) await operator.pull();
  }

  async #strikeSite(own: Random): Promise<void> {
    await this.world.rest(own.int(...SITE_PAUSE));
    const free = this.world.sites.filter(({ struck }) => !struck);
    if (this.world.isCalm || free.length === 0) return;
    const site = own.pick(free);
    site.struck = true;
    try {
      await this.#strike(site.steady ? SITE_FAULTS : CLIENT_FAULTS, site, own);
    } finally {
      site.struck = false;
    }
  }

  async #strikeServer(own: Random): Promise<void> {
    const { world } = this;
    await world.rest(own.float() * Math.min(SERVER_PAUSE, this.#duration * SERVER_PAUSE_PART));
    if (world.isCalm) return;
    const dies = performance.now() - this.#begun < this.#duration * SERVER_DIES_FOR;
    const faults = { ...(dies && SERVER_FAULTS), ...(world.disk && DISK_FAULTS) };
    if (Object.keys(faults).length > 0) await this.#strike(faults, world.system, own);
    else await world.rest(this.#duration);
  }

  async #strike<Target>(
    faults: Record<string, Fault<Target>>,
    target: Target,
    own: Random,
  ): Promise<void> {
    const { struck } = this.world;
    const [name, fault] = own.pick(Object.entries(faults));
    struck[name] = (struck[name] ?? 0) + 1;
    await fault(target, this.world, own);
  }

  async #measure(): Promise<void> {
    await this.gauges.look();
    const { samples } = this.gauges;
    if (samples.length % TELL_EVERY === 0) {
      const { ended, violations } = this.ledger;
      const minutes = samples.at(-1)?.minute.toFixed(1);
      this.say(`${minutes} min: ${ended.size} downloads ended, ${violations.length} violations`);
    }
    await this.world.rest(Math.max(SAMPLE_EVERY, this.#duration / SAMPLES));
  }
}
