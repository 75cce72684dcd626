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
/** Between two faults of the server: at most this many ms, and at most this part of all the time. */
const SERVER_PAUSE = 30_000;
const SERVER_PAUSE_PART = 0.08;
/** After this part of the time the server is ended no more: only in one that lives, leaks add up. */
const SERVER_DIES_FOR = 0.4;
/** How often everything is measured: so many times, but not more often than this, in ms. */
const SAMPLES = 700;
const SAMPLE_EVERY = 500;
/** Every so many samples a person hears how it goes. */
const TELL_EVERY = 50;

/** What meets an error nobody planned tries again after this time, in ms. */
const AFTER_AN_ERROR = 1_000;

/** Pulls and faults all the time. */
export class Storm {
  readonly #begun = performance.now();
  readonly #duration: number;
  readonly #pace: Pace;
  #seed: number;

  /** @param say gets a line for a person now and then */
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

  /** Resolves when it is calm again and every pull has ended, or is given up. */
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

  /** Each works with chances of its own. What goes wrong unplanned ends nothing, and is told. */
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
