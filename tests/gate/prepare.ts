import { BUNDLES } from "../support/bundled.ts";
import { NewCluster, NO_POSTGRES } from "../support/postgres.ts";
import { PROGRAM_ENV } from "../support/spawn.ts";
import { Bundles } from "./bundles.ts";

/**
 * Environment variables for programs that live for seconds. JavaScriptCore's optimizing compilers cost such a
 * program more CPU time than they save, and so does giving memory back to the system at once.
 */
const SHORT_LIVED = { BUN_JSC_useDFGJIT: "0", MIMALLOC_PURGE_DELAY: "5000" };

/** Resources that are slow to make, such as bundles and a Postgres cluster, made once for all tests. */
export interface Prepared extends AsyncDisposable {
  /** Environment variables by which tests find the prepared resources. */
  env: Record<string, string>;
}

/**
 * Prepares the resources. With `TEST_BUNDLES={}` set, no bundles are made, and tests start the sources.
 * @param isShortLived whether most programs that the tests start live for seconds
 */
export async function prepare(isShortLived: boolean): Promise<Prepared> {
  await using made = new AsyncDisposableStack();
  const env: Record<string, string> = {};
  if (isShortLived) env[PROGRAM_ENV] = JSON.stringify(SHORT_LIVED);
  if (process.env[BUNDLES] === undefined) {
    Object.assign(env, made.use(await Bundles.make()).env);
  }
  if (NO_POSTGRES === "") Object.assign(env, made.use(await NewCluster.make()).env);
  const all = made.move();
  return { env, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
