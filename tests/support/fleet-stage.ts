import { afterAll, afterEach, beforeAll, beforeEach } from "bun:test";
import { Fleet } from "./fleet.ts";
import { System } from "./system.ts";

export let system: System;
/** Sites that answer by hand. */
export let fleet: Fleet;

/** Starts a server without clients before each test of a group. @param settings of the server */
export function useFleet(settings: Record<string, string> = {}): void {
  beforeEach(() => start(settings));
  afterEach(end);
}

/** Starts one server for all tests of a group. */
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
