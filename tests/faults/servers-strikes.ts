import { Strace } from "../support/strace.ts";
import { lacksStrace } from "../support/machine.ts";
import { Random } from "../support/random.ts";
import { waitFor } from "../support/wait.ts";
import { SERVERS, type ServersStage, type Shared } from "./servers-stage.ts";

/** A fault in a group of servers, with its repair. */
export interface Strike {
  /** Rows of the fault table that the fault covers, such as "1, 49". */
  rows: string;
  /** The storages for which the fault is possible; by default all. */
  on?: readonly Shared[];
  /**
   * Causes the fault, and repairs it.
   * @param n the server to strike, from 0, if the fault concerns one server
   * @param broken checks invariant B; to be called while the fault lasts
   */
  strike: (
    stage: ServersStage,
    n: number,
    random: Random,
    broken: () => Promise<void>,
  ) => Promise<void>;
}

const ON_DISK: readonly Shared[] = ["folder", "disk"];
const NAMES = "link,linkat,unlink,unlinkat,rename,renameat,renameat2";
const FLUSHES = "fsync,fdatasync,syncfs";

/** Time limit for new durable bytes after a kill, in ms. */
const NEW_BYTES_MS = 20_000;

export const STRIKES: Record<string, Strike> = {
  "is killed": {
    rows: "1, 49",
    strike: async (stage, n, random, broken) => {
      const { group } = stage;
      group.at(n).program.signal("SIGKILL");
      await group.at(n).program.ended();
      const moved = stage.expectToMove(NEW_BYTES_MS);
      // The promise is awaited at the end, because an error of the steps in between says more about the
      // cause. Until then, its rejection must not count as unhandled.
      moved.catch(() => undefined);
      await broken();
      await Bun.sleep(random.int(0, 2_000));
      await group.restart(n);
      await moved;
    },
  },
  "is killed at a flush or at a name": {
    rows: "2",
    on: ON_DISK,
    strike: async (stage, n, random, broken) => {
      const { program } = stage.group.at(n);
      const inject = `signal=SIGKILL:when=${random.int(1, 12)}`;
      const calls = random.pick([FLUSHES, NAMES]);
      const trace = await Strace.attach(program, stage.group.folder, { calls, inject }).catch(
        () => null,
      );
      await program.endsWithin(3_000);
      await trace?.[Symbol.asyncDispose]();
      program.signal("SIGKILL");
      await program.ended();
      await broken();
      await stage.group.restart(n);
    },
  },
  "and a client is killed": {
    rows: "4",
    strike: async ({ group }, n, random, broken) => {
      const client = random.pick(group.clients);
      group.at(n).program.signal("SIGKILL");
      client.signal("SIGKILL");
      await broken();
      await Promise.all([group.restart(n), client.restart()]);
    },
  },
  "sees a client killed": {
    rows: "3",
    strike: async ({ group }, _, random, broken) => {
      const client = random.pick(group.clients);
      client.signal("SIGKILL");
      await broken();
      await client.restart();
    },
  },
  "and all others lose power": {
    rows: "5, 6",
    on: ["disk"],
    strike: async ({ group, disk }, _, random, broken) => {
      for (const { program } of group.members) program.signal("SIGKILL");
      for (const { program } of group.members) await program.ended();
      disk?.cutPower();
      await disk?.restorePower();
      await broken();
      await Bun.sleep(random.int(0, 500));
      await Promise.all(group.members.map((__, each) => group.restart(each)));
    },
  },
  "loses its clients by FIN": {
    rows: "7",
    strike: async ({ group }, _, __, broken) => {
      group.network.cut("fin");
      await broken();
    },
  },
  "loses its clients by RST": {
    rows: "8",
    strike: async ({ group }, _, __, broken) => {
      group.network.cut("rst");
      await broken();
    },
  },
  "has no room": {
    rows: "21",
    on: ["disk", "bucket"],
    strike: async (stage, _, random, broken) => {
      await stage.fill();
      await Bun.sleep(random.int(500, 6_000));
      await broken();
      await stage.free();
    },
  },
  "has a disk that fails": {
    rows: "24",
    on: ON_DISK,
    strike: async (stage, n, random, broken) => {
      const { program } = stage.group.at(n);
      const inject = `error=EIO:when=${random.int(1, 8)}`;
      const calls = random.pick([FLUSHES, NAMES]);
      await using trace = await Strace.attach(program, stage.group.folder, { calls, inject });
      await Promise.race([
        waitFor(() => trace.injected > 0, "a call to fail").catch(() => null),
        Bun.sleep(2_000),
      ]);
      await broken();
    },
  },
  "is frozen": {
    rows: "49",
    strike: async ({ group }, n, random, broken) => {
      const { program, port } = group.at(n);
      const { order } = group.balancer;
      program.signal("SIGSTOP");
      group.balancer.avoid(port);
      // The clients are cut off, because they would notice the frozen server only after 45 s.
      group.network.cut("rst");
      await Bun.sleep(random.int(100, 2_000));
      if (random.float() < 0.5) await group.endLease(n);
      await broken();
      await Bun.sleep(random.int(0, 1_000));
      program.signal("SIGCONT");
      group.balancer.order = order;
    },
  },
  "has no database": {
    rows: "49",
    strike: async ({ group, ways }, n, random, broken) => {
      ways[n]?.goDown();
      await Bun.sleep(random.int(100, 2_000));
      if (random.float() < 0.3) await group.endLease(n);
      await broken();
      await Bun.sleep(random.int(0, 1_000));
      ways[n]?.comeBack();
    },
  },
  "and all others have no database": {
    rows: "49, 50",
    strike: async ({ ways }, _, random, broken) => {
      for (const way of ways) way.goDown();
      // The servers are sometimes without their database for more than 15 s, so that all leases lapse.
      await Bun.sleep(random.float() < 0.15 ? 17_000 : random.int(100, 3_000));
      await broken();
      for (const way of ways) way.comeBack();
    },
  },
  "sees S3 answer badly": {
    rows: "51",
    on: ["bucket"],
    strike: async ({ s3 }, _, random, broken) => {
      s3.fault = () => {
        const chance = random.float();
        if (chance < 0.2) return { status: 500, code: "InternalError" };
        if (chance < 0.4) return { status: 503, code: "SlowDown" };
        if (chance < 0.6) return "cut";
        // Lost answers are rare here, because the server waits 30 s for each.
        return chance < 0.61 ? "no answer" : null;
      };
      await Bun.sleep(random.int(100, 3_000));
      s3.fault = () => null;
      await broken();
    },
  },
  "sees S3 gone": {
    rows: "51",
    on: ["bucket"],
    strike: async ({ s3 }, _, random, broken) => {
      await s3.goAway();
      await Bun.sleep(random.int(100, 4_000));
      await broken();
      s3.comeBack();
    },
  },
  "sees Postgres killed": {
    rows: "50",
    strike: async ({ postgres }) => {
      await postgres.kill();
      await postgres.restart();
    },
  },
};

/** Returns the names of the faults that are possible with this storage. */
export function strikesOn(shared: Shared): string[] {
  return Object.entries(STRIKES)
    .filter(
      ([, { on }]) =>
        on === undefined || (on.includes(shared) && (on !== ON_DISK || lacksStrace === "")),
    )
    .map(([name]) => name);
}

/** Faults to strike during the download of large files, where the bytes sent twice are measured. */
export const BREAKS = [
  "is killed",
  "sees a client killed",
  "loses its clients by FIN",
  "loses its clients by RST",
  "is frozen",
  "has no database",
];

/** Returns the number of the server to strike, most of the time the one that the clients are connected to. */
export function victimOf(stage: ServersStage, random: Random): number {
  const [preferred] = stage.group.balancer.order;
  const there = stage.group.members.findIndex(({ port }) => port === preferred);
  return there >= 0 && random.float() < 0.6 ? there : random.int(0, SERVERS - 1);
}
