import { childEnvironment } from "../../lib/cli/demo/processes.ts";
import { bundled } from "./bundled.ts";

/*
 * Tests start all their programs by these functions, so that the developer's environment variables, such as
 * settings, CI or colours, do not reach a program.
 */

/**
 * Name of an environment variable: a JSON object with environment variables for all programs. `bun run test`
 * sets it (`gate/prepare.ts`).
 */
export const PROGRAM_ENV = "TEST_PROGRAM_ENV";

const common: Readonly<Record<string, string>> = JSON.parse(process.env[PROGRAM_ENV] ?? "{}");

/**
 * Returns the environment for a program: the variables that any program needs, those of {@link PROGRAM_ENV},
 * and `own`.
 */
export function testEnvironment(own: Record<string, string> = {}): Record<string, string> {
  return childEnvironment(process.env, { ...common, ...own });
}

type Readable = Bun.Spawn.Readable;
type Writable = Bun.Spawn.Writable;
/** `env` has the test's variables only. Those that any program needs are added. */
type Options<Whole> = Omit<Whole, "env"> & { env?: Record<string, string> };

/** Starts a program, as `Bun.spawn` does, in the environment of {@link testEnvironment}. */
export function spawn<
  const In extends Writable = "ignore",
  const Out extends Readable = "pipe",
  const Err extends Readable = "inherit",
>(
  command: string[],
  { env, ...options }: Options<Bun.Spawn.SpawnOptions<In, Out, Err>> = {},
): Bun.Subprocess<In, Out, Err> {
  return Bun.spawn<In, Out, Err>(bundled(command, env), { ...options, env: testEnvironment(env) });
}

/** Runs a program until it exits, as `Bun.spawnSync` does, in the environment of {@link testEnvironment}. */
export function spawnSync<
  const In extends Writable = "ignore",
  const Out extends Readable = "pipe",
  const Err extends Readable = "pipe",
>(
  command: string[],
  { env, ...options }: Options<Bun.Spawn.SpawnSyncOptions<In, Out, Err>> = {},
): Bun.SyncSubprocess<Out, Err> {
  return Bun.spawnSync<In, Out, Err>(bundled(command, env), {
    ...options,
    env: testEnvironment(env),
  });
}
