import { type Fault, type FaultName, FAULTS, type Scene } from "./scenario-faults.ts";
import { Invariants } from "../support/invariants.ts";
import { type Conditions, type Direction, PERFECT } from "../support/proxy/conditions.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** A fault and the moment at which it occurs. */
export interface Strike {
  fault: FaultName;
  /** The direction of the bytes that are counted to find the moment of the fault. */
  direction: Direction;
  /**
   * For `up`: the share of the file's missing bytes that passes before the fault. For `down`: the number of
   * messages, counted as 100 bytes each.
   */
  after: number;
  /** Further delay in ms, so that the fault may hit the verification, the publishing or a resume. */
  thenMs: number;
}

/** A download and the faults during it. The same seed gives the same scenario. */
export interface Scenario {
  seed: number;
  /** Size of the file, in bytes. */
  size: number;
  chunkSize: number;
  /** The setting RECEIVE_BUDGET, in bytes. */
  window: number;
  network: Conditions;
  strikes: Strike[];
}

/**
 * Makes a random scenario.
 * @param faults the faults to choose from
 * @param sizes limits of the file's size, in bytes
 */
export function scenarioOf(
  seed: number,
  faults: readonly FaultName[],
  sizes: { min: number; max: number } = { min: 1, max: 8 * MiB },
): Scenario {
  const random = new Random(seed);
  const chunkSize = random.pick([16 * KiB, 64 * KiB, 256 * KiB, MiB]);
  return {
    seed,
    size: random.int(sizes.min, sizes.max),
    chunkSize,
    window: random.pick([1, 2, 4]) * MiB,
    network: random.pick([PERFECT, { ...PERFECT, delay: random.int(1, 30), jitter: 10 }]),
    strikes: Array.from({ length: random.int(1, 3) }, () => strikeOf(random, faults)),
  };
}

function strikeOf(random: Random, faults: readonly FaultName[]): Strike {
  const direction = random.pick(["up", "up", "up", "down"] as const);
  // The fault comes at a random share of the file, or often at its end, where the file is verified and
  // published.
  const share = random.pick([random.float(), random.float(), 1]);
  return {
    fault: random.pick(faults),
    direction,
    after: direction === "up" ? share : random.float() * 6,
    thenMs: random.pick([0, 0, random.int(1, 60)]),
  };
}

/** Runs a scenario on a new server and client, and expects all invariants to hold. */
export async function play(scenario: Scenario): Promise<void> {
  const { seed, size, chunkSize, window, network, strikes } = scenario;
  await using system = await System.start({
    RECEIVE_BUDGET: String(window),
    CHUNK_SIZE: String(chunkSize),
  });
  await using proxy = await Proxy.listen(system.port, seed);
  proxy.shape(network);
  const wanted = await writeRandom(system.source("file"), size);
  const client = await system.startClient({ server: proxy.url });
  const scene: Scene = { system, proxy, client, random: new Random(seed) };
  const invariants = await Invariants.watch(system, proxy, window);
  // The messages to the client are held until the response to the request has arrived, so that no fault can
  // hit the request itself.
  proxy.hold("down");
  const downloadId = await system.pull("file");
  const over = system.ended(downloadId);
  const before = proxy.carried.up;
  for (const strike of strikes) {
    const moment = momentOf(strike, proxy, size - (proxy.carried.up - before));
    proxy.release("down");
    await Promise.race([moment, over]);
    await Bun.sleep(strike.thenMs);
    const fault: Fault = FAULTS[strike.fault];
    fault.strike(scene);
    await invariants.expectSafe();
    await fault.mend(scene);
  }
  await invariants.expectAll({ wanted: new Map([[downloadId, wanted]]), breaks: strikes.length });
}

function momentOf({ direction, after }: Strike, proxy: Proxy, missing: number): Promise<void> {
  const bytes = direction === "up" ? after * Math.max(1, missing) : after * 100;
  return proxy.after(direction, Math.floor(bytes), () => undefined);
}
