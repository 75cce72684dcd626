import { childEnvironment } from "../../lib/cli/demo/processes.ts";
import { bundled } from "./bundled.ts";

/*
 * Every program that a test starts, it starts here. Whoever runs the tests may have settings of ours
 * in the environment, want colours, sit at a terminal or be CI: none of that reaches the program.
 */

/** What a program needs to run at all, and what the test gives it. */
export function testEnvironment(own: Record<string, string> = {}): Record<string, string> {
  return childEnvironment(process.env, own);
}

type Readable = Bun.Spawn.Readable;
type Writable = Bun.Spawn.Writable;
/** `env` is all that the program's environment has beside what it needs to run. */
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

/** Runs a program to its end, as `Bun.spawnSync` does, in the same environment. */
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
