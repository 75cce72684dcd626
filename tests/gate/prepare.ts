import { BUNDLES } from "../support/bundled.ts";
import { NewCluster, NO_POSTGRES } from "../support/postgres.ts";
import { Bundles } from "./bundles.ts";

/** Resources that are slow to make, such as bundles and a Postgres cluster, made once for all tests. */
export interface Prepared extends AsyncDisposable {
  /** Environment variables by which tests find the prepared resources. */
  env: Record<string, string>;
}

/** Prepares the resources. With `TEST_BUNDLES={}` set, no bundles are made, and tests start the sources. */
export async function prepare(): Promise<Prepared> {
  await using made = new AsyncDisposableStack();
  const env: Record<string, string> = {};
  if (process.env[BUNDLES] === undefined) {
    Object.assign(env, made.use(await Bundles.make()).env);
  }
  if (NO_POSTGRES === "") Object.assign(env, made.use(await NewCluster.make()).env);
  const all = made.move();
  return { env, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
