import type { Program } from "../support/programs.ts";
import type { Direction } from "../support/proxy/conditions.ts";
import type { Proxy } from "../support/proxy.ts";
import type { Random } from "../support/random.ts";
import type { System } from "../support/system.ts";

/** The parts of a running system that a fault can act on. */
export interface Scene {
  system: System;
  /** The network between the client and the server. */
  proxy: Proxy;
  client: Program;
  random: Random;
}

/** A fault, and its repair as a person, a service manager or time would do it. */
export interface Fault {
  strike: (scene: Scene) => void;
  mend: (scene: Scene) => Promise<unknown>;
}

/**
 * Longest time for which a fault stalls the network or a program, in ms: much shorter than the time after
 * which a peer counts as dead.
 */
const LONGEST_STALL = 300;

/** All faults from which random scenarios are made. */
export const FAULTS = {
  "the socket is closed": {
    strike: ({ proxy }) => proxy.cut("fin"),
    mend: async () => undefined,
  },
  "the socket is reset": {
    strike: ({ proxy }) => proxy.cut("rst"),
    mend: async () => undefined,
  },
  "the client is killed": {
    strike: ({ client }) => client.signal("SIGKILL"),
    mend: ({ client }) => client.restart(),
  },
  "the server is killed": {
    strike: ({ system }) => system.server.signal("SIGKILL"),
    mend: ({ system }) => system.restartServer(),
  },
  "both are killed": {
    strike: ({ system, client }) => {
      system.server.signal("SIGKILL");
      client.signal("SIGKILL");
    },
    mend: ({ system, client }) => Promise.all([system.restartServer(), client.restart()]),
  },
  "nothing gets through for a while": stall("up", "down"),
  "nothing comes from the client for a while": stall("up"),
  "nothing comes from the server for a while": stall("down"),
  "the link becomes slow": {
    strike: ({ proxy, random }) => {
      proxy.shape({ delay: random.int(1, 50), jitter: 20, bytesPerSecond: 4 * 1024 * 1024 });
    },
    mend: async () => undefined,
  },
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

function stall(...directions: Direction[]): Fault {
  return {
    strike: ({ proxy }) => directions.forEach((direction) => proxy.hold(direction)),
    mend: async ({ proxy, random }) => {
      await Bun.sleep(random.int(0, LONGEST_STALL));
      for (const direction of directions) proxy.release(direction);
    },
  };
}
