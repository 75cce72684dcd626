import { afterAll, afterEach, beforeAll, beforeEach } from "bun:test";
import { Fleet } from "./fleet.ts";
import { System } from "./system.ts";

export let system: System;
/** The simulated sites, which speak the protocol without the client's code. */
export let fleet: Fleet;

/** Starts a server, still without sites, before each test of a group. @param settings of the server */
export function useFleet(settings: Record<string, string> = {}): void {
  beforeEach(() => start(settings));
  afterEach(end);
}

/** Starts one server, still without sites, for all tests of a group. */
export function useOneFleet(): void {
  beforeAll(() => start({}));
  afterAll(end);
}

async function start(settings: Record<string, string>): Promise<void> {
  system = await System.start({ LOG_LEVEL: "warn", ...settings });
  fleet = new Fleet(system.url);
}

async function end(): Promise<void> {
  await fleet[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
}
